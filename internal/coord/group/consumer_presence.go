package group

import (
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// present sets the deadlines of a member that was heard of. moved says that it was
// just led on.
func (c *Coordinator) present(ch *consumerChange, m *consumerMember, session time.Duration, moved bool) {
	cg := ch.cg
	p := cg.presences[m.id]
	if p == nil {
		p = &presence{}
		cg.presences[m.id] = p
		c.touch(ch.g)
		ch.undo = append(ch.undo, func() { delete(cg.presences, m.id) })
	}
	p.session = c.now.Add(session)
	if m.classic == nil {
		p.join, p.sync = time.Time{}, time.Time{}
	}
	switch {
	case m.state != unrevoked || m.classic != nil:
		p.rebalance = time.Time{}
	case moved || p.rebalance.IsZero():
		p.rebalance, p.epoch = c.now.Add(m.rebalance), m.epoch
		c.touch(ch.g)
	}
}

// sessionOf is how long a member may be silent.
func (c *Coordinator) sessionOf(cg *consumerGroup, m *consumerMember) time.Duration {
	if m.classic != nil {
		return m.classic.session
	}
	return c.cfg.Consumer(cg.g.id).Session
}

func (cg *consumerGroup) nextDeadline() time.Time {
	at := cg.targetDue
	for _, p := range cg.presences {
		at = sooner(at, p.session)
		at = sooner(at, p.rebalance)
		at = sooner(at, p.sync)
		at = sooner(at, p.join)
	}
	return at
}

// expire removes who has not been heard of, or has not given up partitions, in time,
// and computes the target that had to wait.
func (cg *consumerGroup) expire(c *Coordinator) {
	ch := c.change(cg.g, cg)
	due := func(at time.Time) bool { return !at.IsZero() && !c.now.Before(at) }
	var gone []string
	for _, id := range sortedNames(cg.presences) {
		p, m := cg.presences[id], cg.members[id]
		why := ""
		switch {
		case due(p.session):
			why = "was not heard of in time"
		case due(p.rebalance):
			if m.epoch == p.epoch && m.state == unrevoked {
				why = "did not give up its partitions in time"
			}
			p.rebalance = time.Time{}
		case due(p.join):
			why = "did not join again in time"
		case due(p.sync):
			why = "did not sync in time"
		}
		if why != "" {
			c.note(cg.g, "member %s %s and is removed", id, why)
			gone = append(gone, id)
		}
	}
	c.fence(ch, gone)
	if cg.g.modern == cg && due(cg.targetDue) {
		cg.targetDue = time.Time{}
		c.retarget(ch)
	}
	ch.end(nil)
}

// fence removes members.
func (c *Coordinator) fence(ch *consumerChange, ids []string) {
	if len(ids) == 0 {
		return
	}
	cg := ch.cg
	for _, id := range ids {
		regex := cg.members[id].regex
		ch.remove(id)
		ch.forgetExpression(regex)
	}
	if c.downgradable(cg) {
		ch.downgrade()
		c.rebalance(ch.g, "the last member of the consumer protocol has gone")
		return
	}
	ch.bump()
	if cg.empty() {
		// The next member need not wait.
		ch.targetDone(cg.epoch, 0)
		c.note(ch.g, "epoch %d: the group is empty", cg.epoch)
		return
	}
	c.retarget(ch)
}

// consumerLeave takes a member out at once. A static one that means to come back
// leaves its place behind, until its session ends.
func (c *Coordinator) consumerLeave(e ConsumerHeartbeat) error {
	req := e.Req
	g, err := c.ofType(req.Group, consumerType)
	if err != nil {
		return err
	}
	cg := g.consumer()
	m := cg.members[req.MemberID]
	if _, err := cg.static(req.MemberID, req.InstanceID); err != nil {
		return err
	}
	if m == nil {
		return unknownMember(req.MemberID, req.Group)
	}
	ch := c.change(g, cg)
	if req.MemberEpoch == leaveStaticEpoch {
		c.note(g, "static member %s leaves for a while", m.id)
		n := *m
		n.epoch, n.revoking = leaveStaticEpoch, nil
		n.assigned = make(map[partition]int32, len(m.assigned))
		for p := range m.assigned {
			n.assigned[p] = 0 // whoever comes back has them from its beginning
		}
		ch.current(&n)
	} else {
		c.note(g, "member %s leaves", m.id)
		c.fence(ch, []string{m.id})
	}
	res := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	id := strings.Clone(req.MemberID)
	res.MemberID, res.MemberEpoch = &id, req.MemberEpoch
	ch.answer(e.Token, res, consumerFailed(req))
	return nil
}
