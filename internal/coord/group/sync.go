package group

import (
	"bytes"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sync is a member asking for its assignment; the leader's brings everybody's.
func (c *Coordinator) sync(e Sync) {
	req := e.Req
	fail := func(err *kerr.Error) { c.reply(e.Token, syncError(req.Version, err)) }
	g := c.classic(req.Group)
	switch {
	case req.Version >= 5 && (req.ProtocolType == nil || req.Protocol == nil):
		fail(kerr.InconsistentGroupProtocol) // KIP-559: they must be said
		return
	case req.Group == "":
		fail(kerr.InvalidGroupID)
		return
	case c.consumer(req.Group) != nil:
		c.syncConsumer(c.consumer(req.Group), e)
		return
	case g == nil || g.state == Empty:
		fail(kerr.UnknownMemberID)
		return
	}
	if err := g.check(req.MemberID, req.InstanceID); err != nil {
		fail(err)
		return
	}
	m := g.byID[req.MemberID]
	switch {
	case req.Generation != g.generation:
		fail(kerr.IllegalGeneration)
	case differs(req.ProtocolType, g.protocolType) || differs(req.Protocol, g.protocol):
		fail(kerr.InconsistentGroupProtocol)
	case g.state == PreparingRebalance:
		fail(kerr.RebalanceInProgress)
	case g.state == Stable:
		c.synced(g, m)
		c.reply(e.Token, g.syncAnswer(req.Version, m))
	case g.state == CompletingRebalance:
		// A sync that it sent before would never be answered.
		c.answerSync(g, m, kerr.RebalanceInProgress.Code)
		m.syncing = &waiter{e.Token, req.Version}
		c.synced(g, m)
		if g.leader == m.id && !g.assigning {
			c.assign(g, req)
		}
	}
}

// synced notes that a member asked for its assignment.
func (c *Coordinator) synced(g *group, m *member) {
	delete(g.unsynced, m.id)
	if len(g.unsynced) == 0 {
		g.syncAt = time.Time{}
	}
	c.touch(g)
}

// assign stores what the leader decided, and then tells the members.
func (c *Coordinator) assign(g *group, req *kmsg.SyncGroupRequest) {
	assignments := make(map[string][]byte, len(req.GroupAssignment))
	for _, a := range req.GroupAssignment {
		assignments[a.MemberID] = bytes.Clone(a.MemberAssignment)
	}
	generation := g.generation
	g.assigning = true
	stored := func(err error) {
		// Somebody may have joined or left while the disk was busy.
		if g.state != CompletingRebalance || g.generation != generation {
			return
		}
		c.touch(g)
		if err != nil {
			for _, m := range g.members {
				m.assignment = nil
				c.answerSync(g, m, codeOf(err))
			}
			c.rebalance(g, "the assignment could not be stored: "+err.Error())
			return
		}
		g.enter(Stable, c.now)
		for _, m := range g.members {
			m.assignment = assignments[m.id]
			c.answerSync(g, m, 0)
		}
	}
	records := []Record{g.record(assignments)}
	if c.tooLarge(records) {
		stored(kerr.MessageTooLarge)
		return
	}
	c.write(g, records, nil, stored)
}

// answerSync answers a member's waiting sync, if there is one.
func (c *Coordinator) answerSync(g *group, m *member, code int16) {
	w := m.syncing
	if w == nil {
		return
	}
	m.syncing = nil
	res := g.syncAnswer(w.version, m)
	if code != 0 {
		res = syncError(w.version, nil)
		res.ErrorCode = code
	}
	c.reply(w.token, res)
	// Its session may have ended while it waited here.
	m.alive(c.now, m.session)
	c.touch(g)
}

func (g *group) syncAnswer(version int16, m *member) *kmsg.SyncGroupResponse {
	res := kmsg.NewPtrSyncGroupResponse()
	res.Version = version
	res.ProtocolType = kmsg.StringPtr(g.protocolType)
	res.Protocol = kmsg.StringPtr(g.protocol)
	res.MemberAssignment = m.assignment
	return res
}

func syncError(version int16, err *kerr.Error) *kmsg.SyncGroupResponse {
	res := kmsg.NewPtrSyncGroupResponse()
	res.Version = version
	if err != nil {
		res.ErrorCode = err.Code
	}
	return res
}

// differs says whether what a request says (nil: nothing, before v5) contradicts
// the group.
func differs(said *string, is string) bool { return said != nil && *said != is }
