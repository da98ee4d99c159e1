package group

import (
	"container/heap"
	"fmt"
	"time"

	"github.com/leatdev/leat/internal/coord/ledger"
)

// Coordinator holds the groups of one partition of __consumer_offsets. It is
// not safe for concurrent use: the caller has a lock around it.
type Coordinator struct {
	cfg    Config
	groups map[string]*group
	alarms alarms // groups with a deadline, soonest first
	topics Topics

	// retentionAt is when expired offsets are looked for next.
	retentionAt time.Time

	writes  ledger.Ledger[change]
	pending pendingOffsets

	// Of the Step that runs.
	now     time.Time
	out     Effects
	touched []*group
}

// New makes a Coordinator without groups. It panics on a Config without NewID:
// two members with one id would be a silent mix-up.
func New(cfg Config) *Coordinator {
	if cfg.NewID == nil {
		panic("group.New: Config.NewID is not set")
	}
	return &Coordinator{cfg: cfg, groups: make(map[string]*group), topics: noTopics{}}
}

// Step takes one event and says what to do about it.
func (c *Coordinator) Step(now time.Time, e Event) Effects {
	c.now = now
	c.out = Effects{}
	switch e := e.(type) {
	case Join:
		c.join(e)
	case Sync:
		c.sync(e)
	case Heartbeat:
		c.heartbeat(e)
	case Leave:
		c.leave(e)
	case ConsumerHeartbeat:
		c.consumerHeartbeat(e)
	case ShareHeartbeat:
		c.shareHeartbeat(e)
	case MakeShare:
		c.makeShare(e)
	case DescribeShare:
		c.describeShare(e)
	case DescribeConsumer:
		c.describeConsumer(e)
	case Commit:
		c.commit(e)
	case TxnCommit:
		c.txnCommit(e)
	case TxnEnd:
		c.txnEnd(e)
	case FetchOffsets:
		c.fetchOffsets(e)
	case Describe:
		c.describe(e)
	case List:
		c.list(e)
	case DeleteGroup:
		c.deleteGroup(e)
	case DeleteOffsets:
		c.deleteOffsets(e)
	case TopicGone:
		c.topicGone(e)
	case TopicsChanged:
		c.topicsChanged(e)
	case Appended:
		c.appended(e)
	case Durable:
		c.writes.Settle(e.ID, e.Err)
	case Tick:
		c.tick()
	default:
		panic(fmt.Sprintf("group: unknown event %T", e))
	}
	c.settle()
	out := c.out
	c.out = Effects{}
	return out
}

// Deadline is when the next Tick is due; the zero time when none is.
func (c *Coordinator) Deadline() time.Time {
	next := c.retentionAt
	if len(c.alarms) > 0 {
		next = sooner(next, c.alarms[0].wakeAt)
	}
	return next
}

// settle brings the deadlines of the groups that the Step touched up to date and
// forgets groups that hold nothing.
func (c *Coordinator) settle() {
	// Firing a deadline that is due already may touch the group again.
	for len(c.touched) > 0 {
		g := c.touched[len(c.touched)-1]
		c.touched = c.touched[:len(c.touched)-1]
		g.touched = false
		if c.groups[g.id] != g {
			c.alarms.remove(g)
			continue
		}
		if !g.joinAt.IsZero() && !c.now.Before(g.joinAt) {
			c.joinTimeout(g)
		}
		if g.unused() {
			delete(c.groups, g.id)
			c.alarms.remove(g)
			continue
		}
		c.alarms.set(g, g.nextDeadline())
	}
}

// touch marks a group whose deadlines may have come nearer.
func (c *Coordinator) touch(g *group) {
	if !g.touched {
		g.touched = true
		c.touched = append(c.touched, g)
	}
}

func (c *Coordinator) create(id string) *group {
	g := newGroup(id, c.now)
	c.groups[id] = g
	c.touch(g)
	return g
}

func (c *Coordinator) reply(t Token, answer any) {
	c.out.Replies = append(c.out.Replies, Reply{Token: t, Answer: answer})
}

func (c *Coordinator) note(g *group, format string, args ...any) {
	c.out.Notes = append(c.out.Notes, Note{Of: g.id, Text: fmt.Sprintf(format, args...)})
}

// sooner is the earlier of two times, of which zero means never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// alarms is a heap of groups by wakeAt. A group's wakeAt may be earlier than
// its next deadline (heartbeats only move deadlines away, and are many), never
// later.
type alarms []*group

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, j int) bool { return a[i].wakeAt.Before(a[j].wakeAt) }
func (a alarms) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].alarm, a[j].alarm = i, j
}

// Push and Pop are for container/heap.
func (a *alarms) Push(x any) {
	g := x.(*group)
	g.alarm = len(*a)
	*a = append(*a, g)
}

func (a *alarms) Pop() any {
	old := *a
	g := old[len(old)-1]
	old[len(old)-1] = nil
	*a = old[:len(old)-1]
	g.alarm = -1
	return g
}

func (a *alarms) set(g *group, at time.Time) {
	switch {
	case at.IsZero():
		a.remove(g)
	case g.alarm >= 0:
		g.wakeAt = at
		heap.Fix(a, g.alarm)
	default:
		g.wakeAt = at
		heap.Push(a, g)
	}
}

func (a *alarms) remove(g *group) {
	if g.alarm >= 0 {
		heap.Remove(a, g.alarm)
	}
}
