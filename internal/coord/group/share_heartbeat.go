package group

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// shareHeartbeat is all that a member of a share group says: that it joins (epoch 0),
// that it is there, what it reads, that it leaves (-1).
func (c *Coordinator) shareHeartbeat(e ShareHeartbeat) {
	if err := c.shareBeat(e); err != nil {
		c.refuse(e.Token, e.Req.GroupID, err, shareFailed(e.Req))
	}
}

func shareFailed(req *kmsg.ShareGroupHeartbeatRequest) func(error) any {
	return func(err error) any {
		res := req.ResponseKind().(*kmsg.ShareGroupHeartbeatResponse)
		res.ErrorCode, res.ErrorMessage = faultOf(err)
		return res
	}
}

// shareBeat answers, or returns why it cannot be answered well; then nothing has
// changed.
func (c *Coordinator) shareBeat(e ShareHeartbeat) error {
	req := e.Req
	joins := req.MemberEpoch == joinEpoch
	switch {
	case blank(req.MemberID):
		return invalid("MemberId can't be empty.")
	case blank(req.GroupID):
		return invalid("GroupId can't be empty.")
	case req.RackID != nil && blank(*req.RackID):
		return invalid("RackId can't be empty.")
	case joins && len(req.SubscribedTopicNames) == 0:
		return invalid("SubscribedTopicNames must be set in first request.")
	case req.MemberEpoch < leaveEpoch:
		return invalid("MemberEpoch is invalid.")
	case !fits(req.GroupID, req.MemberID):
		return invalid("GroupId and MemberId must not be longer than 32767 bytes.")
	}
	g := c.groups[req.GroupID]
	switch {
	case g == nil && !joins:
		return faultf(kerr.GroupIDNotFound, "Share group %s not found.", req.GroupID)
	case g != nil && g.shares() == nil && (!joins || g.taken()):
		return faultf(kerr.GroupIDNotFound, "Group %s is not a share group.", req.GroupID)
	}
	if req.MemberEpoch == leaveEpoch {
		return c.shareLeave(e, g.shares())
	}
	ch := c.shareOf(req.GroupID)
	sg := ch.sg
	old := sg.members[req.MemberID]
	if err := c.checkShareMember(req, sg, old); err != nil {
		ch.drop()
		return err
	}
	was := modernMember{id: strings.Clone(req.MemberID)}
	if old != nil {
		was = *old
	}
	now := was.says(e.Client, req.RackID, req.SubscribedTopicNames)
	m := &now
	changed := old == nil || !slices.Equal(old.topics, m.topics)
	if old == nil {
		c.note(ch.g, "member %s joins", m.id)
		ch.undo = append(ch.undo, func() { delete(sg.sessions, m.id) })
	}
	if changed || !old.sameMetadata(m) {
		ch.put(m)
	}
	if changed || sg.stale {
		ch.advance()
	}
	// A member that tells all of itself wants to be told all.
	full := joins || req.SubscribedTopicNames != nil
	if m.epoch != sg.epoch {
		n := *m
		n.previous, n.epoch = m.epoch, sg.epoch
		if joins {
			n.previous = 0
		}
		ch.told(&n)
		m, full = &n, true
	} else if req.MemberEpoch != m.epoch {
		full = true // the answer with its epoch may have been lost
	}
	settings := c.shareSettings(ch.g.id)
	sg.sessions[m.id] = c.now.Add(settings.Session)

	res := req.ResponseKind().(*kmsg.ShareGroupHeartbeatResponse)
	res.MemberID = &m.id
	res.MemberEpoch = m.epoch
	res.HeartbeatIntervalMillis = int32(settings.Heartbeat.Milliseconds())
	if full {
		res.Assignment = shareAssignmentOf(sg.target[m.id])
	}
	ch.answer(e.Token, res, shareFailed(req))
	return nil
}

// taken says that a group is of another type than share and has something to lose.
func (g *group) taken() bool {
	return g.modern != nil || !g.vacant() || g.recorded() || len(g.offsets) > 0
}

// shareOf is a change of the group as a share group, which is made if there is none.
func (c *Coordinator) shareOf(id string) *shareChange {
	g := c.groups[id]
	if g == nil {
		g = c.create(id)
	}
	if sg := g.shares(); sg != nil {
		return c.changeShares(sg)
	}
	ch := c.changeShares(newShareGroup(g))
	ch.become(ch.sg)
	return ch
}

// makeShare makes a share group without members.
func (c *Coordinator) makeShare(e MakeShare) {
	g := c.groups[e.Group]
	switch {
	case g != nil && g.shares() == nil && g.taken():
		c.reply(e.Token, kerr.GroupIDNotFound.Code)
		return
	case g != nil && !g.vacant():
		c.reply(e.Token, kerr.NonEmptyGroup.Code)
		return
	case e.Check:
		c.reply(e.Token, int16(0))
		return
	}
	ch := c.shareOf(strings.Clone(e.Group))
	if ch.sg.epoch == 0 {
		ch.advance()
	}
	ch.end(func(err error) { c.reply(e.Token, codeOf(err)) })
}

// checkShareMember says whether a member may go on as it says. The epoch before will
// do if the answer with the newer one may have been lost.
func (c *Coordinator) checkShareMember(req *kmsg.ShareGroupHeartbeatRequest, sg *shareGroup, m *modernMember) error {
	switch {
	case m == nil && req.MemberEpoch != joinEpoch:
		return unknownMember(req.MemberID, req.GroupID)
	case m == nil && c.cfg.ShareMaxSize > 0 && len(sg.members) >= c.cfg.ShareMaxSize:
		return faultf(kerr.GroupMaxSizeReached, "The share group has reached its maximum capacity of %d members.", c.cfg.ShareMaxSize)
	case m == nil || req.MemberEpoch == joinEpoch:
		return nil
	}
	return m.checkEpoch(shareType, req.MemberEpoch, true)
}

// shareLeave takes a member out at once.
func (c *Coordinator) shareLeave(e ShareHeartbeat, sg *shareGroup) error {
	req := e.Req
	if sg.members[req.MemberID] == nil {
		return unknownMember(req.MemberID, req.GroupID)
	}
	id := strings.Clone(req.MemberID)
	c.note(sg.g, "member %s leaves", id)
	res := req.ResponseKind().(*kmsg.ShareGroupHeartbeatResponse)
	res.MemberID, res.MemberEpoch = &id, leaveEpoch
	sg.fence(c, []string{id}).answer(e.Token, res, shareFailed(req))
	return nil
}

func shareAssignmentOf(ps []partition) *kmsg.ShareGroupHeartbeatResponseAssignment {
	a := kmsg.NewShareGroupHeartbeatResponseAssignment()
	a.TopicPartitions = []kmsg.ShareGroupHeartbeatResponseAssignmentTopicPartition{}
	for topic, ps := range byTopic(ps) {
		t := kmsg.NewShareGroupHeartbeatResponseAssignmentTopicPartition()
		t.TopicID, t.Partitions = topic, indexes(ps)
		a.TopicPartitions = append(a.TopicPartitions, t)
	}
	return &a
}

// describeShare shows one share group.
func (c *Coordinator) describeShare(e DescribeShare) {
	res := kmsg.NewShareGroupDescribeResponseGroup()
	res.GroupID = e.Group
	g, err := c.ofType(e.Group, shareType)
	if err != nil {
		res.ErrorCode, res.ErrorMessage = faultOf(err)
	} else {
		sg := g.shares()
		res.GroupState, res.GroupEpoch, res.AssignmentEpoch, res.Assignor = sg.stateName(), sg.epoch, sg.epoch, "simple"
		for _, id := range sortedNames(sg.members) {
			m := sg.members[id]
			d := kmsg.NewShareGroupDescribeResponseGroupMember()
			d.MemberID, d.RackID, d.MemberEpoch, d.ClientID, d.ClientHost = m.id, m.rack, m.epoch, m.clientID, m.clientHost
			d.SubscribedTopicNames = append([]string{}, m.topics...)
			for topic, ps := range byTopic(sg.target[id]) {
				name, ok := c.topics.TopicName(topic)
				if !ok {
					continue
				}
				t := kmsg.NewShareGroupDescribeResponseGroupMemberAssignmentTopicPartition()
				t.TopicID, t.Topic, t.Partitions = topic, name, indexes(ps)
				d.Assignment.TopicPartitions = append(d.Assignment.TopicPartitions, t)
			}
			res.Members = append(res.Members, d)
		}
	}
	c.whenShown(g, c.replying(e.Token, res, func(err error) any {
		lost := kmsg.NewShareGroupDescribeResponseGroup()
		lost.GroupID, lost.ErrorCode = e.Group, codeOf(err)
		return lost
	}))
}
