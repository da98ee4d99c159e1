package group

import (
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// rebalance asks all members to join again.
func (c *Coordinator) rebalance(g *group, reason string) {
	c.touch(g)
	if g.state == CompletingRebalance {
		for _, m := range g.members {
			m.assignment = nil
			c.answerSync(g, m, kerr.RebalanceInProgress.Code)
		}
	}
	clear(g.unsynced)
	g.syncAt = time.Time{}
	g.initial = g.state == Empty
	g.enter(PreparingRebalance, c.now)
	c.note(g, "rebalancing after generation %d: %s", g.generation, reason)
	if g.initial {
		// The group is new: more members are probably on their way.
		g.initialGrew = false
		g.initialDelay = c.cfg.InitialRebalanceDelay
		g.initialRemaining = max(g.rebalanceTimeout()-g.initialDelay, 0)
		g.joinAt = c.now.Add(g.initialDelay)
		return
	}
	if g.allJoined() {
		c.completeJoin(g)
		return
	}
	g.joinAt = c.now.Add(g.rebalanceTimeout())
}

// maybeCompleteJoin ends the gathering if nobody is waited for. The first
// gathering of a group always takes its time.
func (c *Coordinator) maybeCompleteJoin(g *group) {
	if g.state == PreparingRebalance && !g.initial && g.allJoined() {
		c.completeJoin(g)
	}
}

// joinTimeout is what happens at joinAt.
func (c *Coordinator) joinTimeout(g *group) {
	if g.initial && g.initialGrew && g.initialRemaining > 0 {
		g.initialGrew = false
		delay := g.initialDelay
		g.initialDelay = min(c.cfg.InitialRebalanceDelay, g.initialRemaining)
		g.initialRemaining = max(g.initialRemaining-delay, 0)
		g.joinAt = c.now.Add(g.initialDelay)
		c.touch(g)
		return
	}
	c.completeJoin(g)
}

// completeJoin begins the next generation with those who have joined. Static
// members that have not are kept: their session decides about them.
func (c *Coordinator) completeJoin(g *group) {
	c.touch(g)
	g.joinAt = time.Time{}
	c.drop(g, "did not join in time", func(m *member) bool { return m.joining == nil && m.instance == nil })
	if len(g.members) > 0 && !g.electJoined() {
		// All that is left are static members that may be restarting.
		g.joinAt = c.now.Add(g.rebalanceTimeout())
		return
	}
	g.initial = false
	g.nextGeneration(c.now)
	if g.state == Empty {
		c.note(g, "generation %d: the group is empty", g.generation)
		// Not being written is no harm: the generation of before comes back at a
		// restart and its members expire.
		c.write(g, []Record{g.record(nil)}, nil, nil)
		return
	}
	c.note(g, "generation %d: %d members, protocol %s, leader %s", g.generation, len(g.members), g.protocol, g.leader)
	for _, m := range g.members {
		if w := m.joining; w != nil {
			m.joining = nil
			c.reply(w.token, g.joinAnswer(w.version, m))
		}
		m.isNew = false
		m.alive(c.now, m.session)
		g.unsynced[m.id] = true
	}
	g.syncAt = c.now.Add(g.rebalanceTimeout())
}

// syncTimeout removes the members that took the generation but never asked for
// their assignment.
func (c *Coordinator) syncTimeout(g *group) {
	g.syncAt = time.Time{}
	if len(g.unsynced) == 0 || g.state != CompletingRebalance && g.state != Stable {
		return
	}
	c.drop(g, "did not sync in time", func(m *member) bool { return g.unsynced[m.id] })
	c.rebalance(g, "members did not sync in time")
}

// drop takes out the members that out picks, for a reason that the log shall
// show ("" for none), and says how many. Whatever request of theirs waits is told
// that it is of no member any more; a client that is still there joins anew.
func (c *Coordinator) drop(g *group, reason string, out func(*member) bool) int {
	var dropped []*member
	for _, m := range g.members {
		if out(m) {
			dropped = append(dropped, m)
		}
	}
	for _, m := range dropped {
		if reason != "" {
			c.note(g, "member %s %s and is removed", m.id, reason)
		}
		if w := m.joining; w != nil {
			m.joining = nil
			c.reply(w.token, joinError(w.version, "", kerr.UnknownMemberID))
		}
		if w := m.syncing; w != nil {
			m.syncing = nil
			c.reply(w.token, syncError(w.version, kerr.UnknownMemberID))
		}
	}
	g.remove(dropped)
	c.touch(g)
	return len(dropped)
}

// dropOne takes one member out.
func (c *Coordinator) dropOne(g *group, m *member) {
	c.drop(g, "", func(o *member) bool { return o == m })
}

// afterRemoval goes on after members have left or expired.
func (c *Coordinator) afterRemoval(g *group, reason string) {
	switch g.state {
	case Stable, CompletingRebalance:
		c.rebalance(g, reason)
	case PreparingRebalance:
		c.maybeCompleteJoin(g)
	}
}

// expire removes who has not been heard of in time, and fires the group's
// timers.
func (c *Coordinator) expire(g *group) {
	c.touch(g)
	if g.modern != nil {
		g.modern.expire(c)
		return
	}
	if !g.joinAt.IsZero() && !c.now.Before(g.joinAt) {
		c.joinTimeout(g)
	}
	if !g.syncAt.IsZero() && !c.now.Before(g.syncAt) {
		c.syncTimeout(g)
	}
	for _, id := range slices.Sorted(maps.Keys(g.pending)) {
		if !c.now.Before(g.pending[id]) {
			delete(g.pending, id)
			c.note(g, "member id %s was given out and never used", id)
			c.maybeCompleteJoin(g)
		}
	}
	expired := func(m *member) bool {
		if m.deadline.IsZero() || c.now.Before(m.deadline) {
			return false
		}
		if !m.isNew && m.waits() {
			// It is alive as far as anybody can tell: it waits for us. Its deadline is
			// set again with the answer.
			m.deadline = time.Time{}
			return false
		}
		return true
	}
	if c.drop(g, "was not heard of in time", expired) > 0 {
		c.afterRemoval(g, "members expired")
	}
}

// tick fires what is due.
func (c *Coordinator) tick() {
	for len(c.alarms) > 0 && !c.now.Before(c.alarms[0].wakeAt) {
		g := c.alarms[0]
		c.expire(g)
		c.settle()
	}
	if !c.retentionAt.IsZero() && !c.now.Before(c.retentionAt) {
		c.retain()
	}
}
