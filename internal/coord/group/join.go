package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// join takes a member in, or has it come back with the id that it is given.
func (c *Coordinator) join(e Join) {
	req := e.Req
	fail := func(memberID string, err *kerr.Error) {
		c.reply(e.Token, joinError(req.Version, memberID, err))
	}
	session := time.Duration(req.SessionTimeoutMillis) * time.Millisecond
	switch {
	case req.Group == "":
		fail(req.MemberID, kerr.InvalidGroupID)
		return
	case !fits(req.Group, req.MemberID, req.ProtocolType, e.Client.ID) || req.InstanceID != nil && !fits(*req.InstanceID) ||
		slices.ContainsFunc(req.Protocols, func(p kmsg.JoinGroupRequestProtocol) bool { return !fits(p.Name) }):
		fail("", kerr.InvalidRequest) // none of it could be stored
		return
	case session < c.cfg.MinSessionTimeout || session > c.cfg.MaxSessionTimeout:
		fail(req.MemberID, kerr.InvalidSessionTimeout)
		return
	}
	g := c.groups[req.Group]
	if g == nil {
		// Only somebody who never was a member makes a group.
		if req.MemberID != "" {
			fail(req.MemberID, kerr.UnknownMemberID)
			return
		}
		g = c.create(req.Group)
	}
	if cg := g.consumer(); cg != nil && cg.empty() {
		if req.MemberID != "" { // nobody's any more, and it stays what it is
			c.whenShown(g, func(err error) {
				if err != nil {
					res := joinError(req.Version, req.MemberID, nil)
					res.ErrorCode = codeOf(err)
					c.reply(e.Token, res)
					return
				}
				fail(req.MemberID, kerr.UnknownMemberID)
			})
			return
		}
		c.becomeClassic(g, e)
		return
	}
	if g.consumer() != nil {
		c.joinConsumer(g, e)
		return
	}
	if g.modern != nil {
		fail("", kerr.InconsistentGroupProtocol)
		return
	}
	c.touch(g)
	protocols := protocolsOf(req)
	switch {
	case !c.hasRoom(g, req):
		if m := g.byID[req.MemberID]; m != nil {
			c.dropOne(g, m)
		}
		delete(g.pending, req.MemberID)
		fail("", kerr.GroupMaxSizeReached)
		c.maybeCompleteJoin(g)
	case !g.supports(req.ProtocolType, protocols):
		fail(req.MemberID, kerr.InconsistentGroupProtocol)
	case req.MemberID == "" && req.InstanceID != nil:
		c.joinStatic(g, e, protocols)
	case req.MemberID == "":
		c.joinDynamic(g, e, protocols)
	default:
		c.rejoin(g, e, protocols)
	}
}

// hasRoom says whether the group takes the member. While it gathers, those who
// have joined count, so that after the limit was lowered the last to come back
// are the ones to go.
func (c *Coordinator) hasRoom(g *group, req *kmsg.JoinGroupRequest) bool {
	m := g.byID[req.MemberID]
	if m == nil && req.MemberID == "" && req.InstanceID != nil {
		m = g.statics[*req.InstanceID] // takes that member's place
	}
	switch g.state {
	case PreparingRebalance:
		return m != nil && m.joining != nil || g.awaitingJoin() < c.cfg.MaxSize
	case CompletingRebalance, Stable:
		return m != nil || len(g.members) < c.cfg.MaxSize
	}
	return true
}

// joinDynamic is the first join of a member. From v4 on it is told its id and
// asked to come again, so that a client that gave up leaves nothing behind but
// that id (KIP-394).
func (c *Coordinator) joinDynamic(g *group, e Join, protocols []protocol) {
	id := e.Client.ID + "-" + c.cfg.NewID()
	if e.Req.Version >= 4 {
		session, _ := timeoutsOf(e.Req)
		g.pending[id] = c.now.Add(session)
		c.reply(e.Token, joinError(e.Req.Version, id, kerr.MemberIDRequired))
		return
	}
	c.addMember(g, e, id, protocols)
}

// joinStatic is a join of a static member that does not know its id: its first,
// or after a restart, when it takes its former place (KIP-345).
func (c *Coordinator) joinStatic(g *group, e Join, protocols []protocol) {
	id := *e.Req.InstanceID + "-" + c.cfg.NewID()
	old := g.statics[*e.Req.InstanceID]
	if old == nil {
		c.addMember(g, e, id, protocols)
		return
	}
	c.replaceStatic(g, e, old, id, protocols)
}

// replaceStatic gives the place of a static member to its restarted self. In a
// stable group that needs no rebalance as long as the choice of the protocol
// stands: the new one gets the assignment of the old.
func (c *Coordinator) replaceStatic(g *group, e Join, m *member, id string, protocols []protocol) {
	// Whoever still waits under the old id is a double, and learns it.
	if w := m.joining; w != nil {
		m.joining = nil
		c.reply(w.token, joinError(w.version, m.id, kerr.FencedInstanceID))
	}
	if w := m.syncing; w != nil {
		m.syncing = nil
		c.reply(w.token, syncError(w.version, kerr.FencedInstanceID))
	}
	oldID, oldLeader := m.id, g.leader
	delete(g.byID, oldID)
	delete(g.unsynced, oldID)
	m.id = id
	g.byID[id] = m
	if g.leader == oldID {
		g.leader = id
	}
	c.note(g, "static member %s is now %s, it was %s", *m.instance, id, oldID)
	c.updateMember(g, m, e, protocols)
	m.clientID, m.clientHost = e.Client.ID, e.Client.Host
	m.isNew = false
	m.alive(c.now, m.session)

	switch g.state {
	case Stable:
		if chosen := g.selectProtocol(); chosen != g.protocol {
			c.rebalance(g, "static member "+id+" came back and changed the protocol to "+chosen)
			return
		}
		g.subscribed = g.subscribedTopics()
		generation := g.generation
		c.write(g, []Record{g.record(nil)}, nil, func(err error) {
			w := m.joining
			if w == nil || m.id != id {
				return // answered otherwise meanwhile
			}
			c.touch(g)
			m.alive(c.now, m.session)
			if err != nil {
				m.joining = nil
				res := joinError(w.version, "", nil)
				res.ErrorCode = codeOf(err)
				c.reply(w.token, res)
				return
			}
			if g.state != Stable || g.generation != generation {
				return // a rebalance began: its end answers
			}
			m.joining = nil
			res := g.joinAnswer(w.version, m)
			if w.version >= 9 {
				// KIP-814: the leader sees the members (it watches their topics), but
				// must not assign anew.
				res.SkipAssignment = g.leader == id
			} else if oldLeader == oldID {
				// Older clients would assign if they saw themselves lead.
				res.LeaderID = oldLeader
				res.Members = nil
			}
			c.reply(w.token, res)
		})
	case CompletingRebalance:
		// The leader may have been told the old id, whose assignment nobody would get.
		c.rebalance(g, "static member "+id+" came back while the leader assigns")
	default:
		c.maybeCompleteJoin(g)
	}
}

// rejoin is a join of somebody who says to be a member.
func (c *Coordinator) rejoin(g *group, e Join, protocols []protocol) {
	req := e.Req
	if _, ok := g.pending[req.MemberID]; ok && req.InstanceID == nil {
		c.addMember(g, e, req.MemberID, protocols)
		return
	}
	if err := g.check(req.MemberID, req.InstanceID); err != nil {
		c.reply(e.Token, joinError(req.Version, req.MemberID, err))
		return
	}
	m := g.byID[req.MemberID]
	same := sameProtocols(m.protocols, protocols)
	reason := ""
	switch {
	case g.state == PreparingRebalance:
		c.updateMember(g, m, e, protocols)
		c.maybeCompleteJoin(g)
		return
	case g.state == Stable && g.leader == m.id:
		// The leader may have seen partitions change: its join is a wish to assign anew.
		reason = "leader " + m.id + " joins again"
	case !same:
		reason = "member " + m.id + " changed its protocols or subscription"
	default:
		// It may have missed the answer to its join: tell it again.
		c.reply(e.Token, g.joinAnswer(req.Version, m))
		return
	}
	c.updateMember(g, m, e, protocols)
	c.rebalance(g, withReason(reason, req.Reason))
}

// addMember takes a new member in and rebalances.
func (c *Coordinator) addMember(g *group, e Join, id string, protocols []protocol) {
	req := e.Req
	m := &member{
		id:           id,
		instance:     req.InstanceID,
		clientID:     e.Client.ID,
		clientHost:   e.Client.Host,
		protocolType: req.ProtocolType,
		isNew:        true,
	}
	c.updateMember(g, m, e, protocols)
	g.add(m)
	if g.state == PreparingRebalance && g.initial {
		g.initialGrew = true
	}
	// A new member cannot send heartbeats before it knows its id, and nobody sees
	// whether its connection is still there: time ends that.
	m.alive(c.now, c.cfg.NewMemberJoinTimeout)
	if g.state == PreparingRebalance {
		c.maybeCompleteJoin(g)
		return
	}
	c.rebalance(g, withReason("new member "+id, req.Reason))
}

// updateMember sets what a join says about the member and parks its request.
func (c *Coordinator) updateMember(g *group, m *member, e Join, protocols []protocol) {
	if w := m.joining; w != nil {
		// It sent another join: the one before would never be answered.
		c.reply(w.token, joinError(w.version, m.id, kerr.RebalanceInProgress))
	}
	m.session, m.rebalance = timeoutsOf(e.Req)
	if g.byID[m.id] == m {
		g.count(m, -1)
	}
	m.protocols = protocols
	if g.byID[m.id] == m {
		g.count(m, 1)
	}
	m.joining = &waiter{e.Token, e.Req.Version}
}

// joinAnswer is the answer to a join that succeeded: the leader alone sees the
// members.
func (g *group) joinAnswer(version int16, m *member) *kmsg.JoinGroupResponse {
	res := newJoinResponse(version)
	res.Generation = g.generation
	res.ProtocolType = kmsg.StringPtr(g.protocolType)
	res.Protocol = kmsg.StringPtr(g.protocol)
	res.LeaderID = g.leader
	res.MemberID = m.id
	if g.leader == m.id {
		for _, o := range g.members {
			jm := kmsg.NewJoinGroupResponseMember()
			jm.MemberID = o.id
			jm.InstanceID = o.instance
			jm.ProtocolMetadata = o.metadata(g.protocol)
			res.Members = append(res.Members, jm)
		}
	}
	return res
}

func newJoinResponse(version int16) *kmsg.JoinGroupResponse {
	res := kmsg.NewPtrJoinGroupResponse()
	res.Version = version
	res.Generation = -1
	return res
}

func joinError(version int16, memberID string, err *kerr.Error) *kmsg.JoinGroupResponse {
	res := newJoinResponse(version)
	res.MemberID = memberID
	if err != nil {
		res.ErrorCode = err.Code
	}
	return res
}

// withReason adds what the client says is its reason (KIP-800).
func withReason(text string, reason *string) string {
	if reason == nil || *reason == "" {
		return text
	}
	r := *reason
	if len(r) > 255 {
		r = r[:255]
	}
	return text + " (client reason: " + r + ")"
}
