package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The classic requests of members of a consumer group: what the new protocol says with
// one heartbeat they say with a join, a sync and heartbeats in between.

// joinConsumer is a JoinGroup: it brings what the member reads and has, and leads it on.
// The others are not waited for.
func (c *Coordinator) joinConsumer(g *group, e Join) {
	if err := c.joinConsumerAs(g, e); err != nil {
		id := e.Req.MemberID
		if err == kerr.GroupMaxSizeReached {
			id = ""
		}
		c.reply(e.Token, joinError(e.Req.Version, id, err))
	}
}

func (c *Coordinator) joinConsumerAs(g *group, e Join) *kerr.Error {
	req, cg := e.Req, g.consumer()
	protocols := protocolsOf(req)
	switch {
	case !c.cfg.ConsumerUpgrade && !c.cfg.ConsumerDowngrade:
		return kerr.InconsistentGroupProtocol
	case req.ProtocolType != consumerType || !cg.supports(req.MemberID, protocols):
		return kerr.InconsistentGroupProtocol
	}
	said, err := embeddedOf(protocols[0].metadata, c.topics)
	if err != nil {
		return kerr.InconsistentGroupProtocol
	}
	var old *consumerMember
	if req.InstanceID != nil {
		old = cg.members[cg.statics[*req.InstanceID]]
	}
	id := req.MemberID
	switch {
	case req.InstanceID != nil && id != "" && old == nil:
		return kerr.UnknownMemberID
	case req.InstanceID != nil && id != "" && old.id != id:
		return kerr.FencedInstanceID
	case old == nil:
		old = cg.members[id]
	}
	if old == nil && len(cg.members) >= c.cfg.ConsumerMaxSize {
		return kerr.GroupMaxSizeReached
	}
	if id == "" {
		id = e.Client.ID + "-" + c.cfg.NewID()
		if req.InstanceID == nil && req.Version >= 4 {
			c.reply(e.Token, joinError(req.Version, id, kerr.MemberIDRequired))
			return nil
		}
	}
	ch := c.change(g, cg)
	m := newConsumerMember(id)
	switch {
	case old == nil:
		c.note(g, "member %s joins by the classic protocol", id)
	case old.id != id:
		m = c.replaceConsumer(ch, old, id)
	default:
		m = old
	}
	n := *m
	n.clientID, n.clientHost, n.instance = e.Client.ID, e.Client.Host, req.InstanceID
	n.topics, n.regex = said.topics, ""
	if said.rack != nil {
		n.rack = said.rack
	}
	session, rebalance := timeoutsOf(req)
	n.rebalance = rebalance
	n.classic = &classicSide{session: session, protocols: protocols}
	changed := ch.subscribe(old, &n)
	c.retarget(ch)
	next := cg.reconcile(c.topics, &n, said.owned, changed)
	if next != &n || old != nil && old.id != id {
		ch.current(next)
	}
	c.present(ch, next, session, false)
	p := cg.presences[id]
	p.join, p.sync = time.Time{}, c.now.Add(rebalance)
	c.touch(g)
	if c.downgradable(cg) {
		// A static member came back by the older protocol, and was the last of the newer.
		settled := cg.stateName() == "Stable"
		ch.downgrade()
		if !settled {
			// Somebody may still have what another one shall have.
			c.rebalance(g, "a consumer group became a classic one before it had settled")
		}
	}
	res := newJoinResponse(req.Version)
	res.MemberID, res.Generation = id, next.epoch
	res.ProtocolType, res.Protocol = kmsg.StringPtr(consumerType), kmsg.StringPtr(protocols[0].name)
	ch.end(func(err error) {
		if err != nil {
			res = joinError(req.Version, id, nil)
			res.ErrorCode = codeOf(err)
		}
		c.reply(e.Token, res)
	})
	return nil
}

// supports says whether a classic member with these protocols fits to the other classic
// ones: they have to have one in common for the day when the group is a classic one.
func (cg *consumerGroup) supports(id string, protocols []protocol) bool {
	if len(protocols) == 0 {
		return false
	}
	known := make(map[string]int)
	others := 0
	for _, m := range cg.members {
		if m.classic != nil && m.id != id {
			others++
			for _, p := range m.classic.protocols {
				known[p.name]++
			}
		}
	}
	for _, p := range protocols {
		if known[p.name] == others {
			return true
		}
	}
	return false
}

// classicMember finds the classic member that speaks.
func (cg *consumerGroup) classicMember(id string, instance *string, generation int32) (*consumerMember, *kerr.Error) {
	m := cg.members[id]
	if instance != nil {
		static, ok := cg.statics[*instance]
		switch {
		case !ok:
			return nil, kerr.UnknownMemberID
		case static != id:
			return nil, kerr.FencedInstanceID
		}
	}
	switch {
	case m == nil || m.classic == nil:
		return nil, kerr.UnknownMemberID
	case m.epoch != generation:
		return nil, kerr.IllegalGeneration
	}
	return m, nil
}

// syncConsumer is a SyncGroup: the member asks for what it may use.
func (c *Coordinator) syncConsumer(g *group, e Sync) {
	req, cg := e.Req, g.consumer()
	fail := func(err *kerr.Error) { c.reply(e.Token, syncError(req.Version, err)) }
	m, err := cg.classicMember(req.MemberID, req.InstanceID, req.Generation)
	if err != nil {
		fail(err)
		return
	}
	first := m.classic.protocols[0]
	switch {
	case differs(req.ProtocolType, consumerType) || differs(req.Protocol, first.name):
		fail(kerr.InconsistentGroupProtocol)
		return
	case cg.targetEpoch > m.epoch && m.state != unrevoked:
		c.awaitJoin(g, m)
		fail(kerr.RebalanceInProgress)
		return
	}
	p := cg.presences[m.id]
	p.sync = time.Time{}
	p.session = c.now.Add(m.classic.session)
	c.touch(g)
	res := kmsg.NewPtrSyncGroupResponse()
	res.Version = req.Version
	res.ProtocolType, res.Protocol = kmsg.StringPtr(consumerType), &first.name
	res.MemberAssignment = assignmentBytes(sortedKeys(m.assigned), first.metadata, c.topics)
	c.whenShown(g, func(lost error) {
		if lost != nil {
			res = syncError(req.Version, nil)
			res.ErrorCode = codeOf(lost)
		}
		c.reply(e.Token, res)
	})
}

// beatConsumer is a Heartbeat: it asks the member to join again when there is anything
// to give up or to get.
func (c *Coordinator) beatConsumer(g *group, req *kmsg.HeartbeatRequest) *kerr.Error {
	cg := g.consumer()
	m, err := cg.classicMember(req.MemberID, req.InstanceID, req.Generation)
	if err != nil {
		return err
	}
	cg.presences[m.id].session = c.now.Add(m.classic.session)
	if m.epoch < cg.targetEpoch || m.state == unrevoked || m.state == unreleased && cg.ready(m) {
		c.awaitJoin(g, m)
		return kerr.RebalanceInProgress
	}
	return nil
}

// ready says that nobody has any more what a member waits for.
func (cg *consumerGroup) ready(m *consumerMember) bool {
	for _, p := range cg.target[m.id] {
		if owner, ok := cg.owners[p]; ok && owner != m.id {
			return false
		}
	}
	return true
}

// awaitJoin expects a classic member to join again within its rebalance time-out.
func (c *Coordinator) awaitJoin(g *group, m *consumerMember) {
	if p := g.consumer().presences[m.id]; p.join.IsZero() {
		p.join = c.now.Add(m.rebalance)
		c.touch(g)
	}
}

// leaveConsumer is a LeaveGroup: of classic members, and by administrators of static
// ones of either protocol.
func (c *Coordinator) leaveConsumer(g *group, e Leave, res *kmsg.LeaveGroupResponse, members []kmsg.LeaveGroupRequestMember) {
	cg := g.consumer()
	var gone []string
	seen := make(map[string]bool)
	for _, lm := range members {
		rm := kmsg.NewLeaveGroupResponseMember()
		rm.MemberID, rm.InstanceID = lm.MemberID, lm.InstanceID
		id := lm.MemberID
		if lm.InstanceID != nil {
			static, ok := cg.statics[*lm.InstanceID]
			switch {
			case !ok:
				rm.ErrorCode = kerr.UnknownMemberID.Code
			case id != "" && id != static:
				rm.ErrorCode = kerr.FencedInstanceID.Code
			}
			id = static
		} else if cg.members[id] == nil {
			rm.ErrorCode = kerr.UnknownMemberID.Code
		}
		if rm.ErrorCode == 0 && !seen[id] {
			seen[id] = true
			gone = append(gone, id)
			c.note(g, "member %s leaves", withReason(id, lm.Reason))
		}
		res.Members = append(res.Members, rm)
	}
	if e.Req.Version < 3 {
		res.ErrorCode = res.Members[0].ErrorCode
		res.Members = nil
	}
	ch := c.change(g, cg)
	c.fence(ch, gone)
	ch.end(func(err error) {
		if err != nil {
			res.ErrorCode = codeOf(err)
		}
		c.reply(e.Token, res)
	})
}
