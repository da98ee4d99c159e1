package txn

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// alarms are moments at which transactional ids have to be looked at, soonest first. An
// id's may be earlier than it needs (most transactions end before their time), never
// later.
type alarms []alarm

type alarm struct {
	at time.Time
	id string
}

// wake has a transactional id looked at, then or sooner.
func (c *Coordinator) wake(t *txn, at time.Time) {
	if t.wakeAt.IsZero() || at.Before(t.wakeAt) {
		t.wakeAt = at
		heap.Push(&c.alarms, alarm{at, t.id})
	}
}

func (a alarms) first() (time.Time, bool) {
	if len(a) == 0 {
		return time.Time{}, false
	}
	return a[0].at, true
}

// due takes out those whose moment has come, in order of id.
func (c *Coordinator) due() (ts []*txn) {
	for len(c.alarms) > 0 && !c.now.Before(c.alarms[0].at) {
		a := heap.Pop(&c.alarms).(alarm)
		if t := c.txns[a.id]; t != nil && t.wakeAt.Equal(a.at) {
			t.wakeAt = time.Time{}
			ts = append(ts, t)
		}
	}
	slices.SortFunc(ts, func(a, b *txn) int { return cmp.Compare(a.id, b.id) })
	return ts
}

// Len, Less, Swap, Push and Pop are for container/heap.
func (a alarms) Len() int { return len(a) }
func (a alarms) Less(i, j int) bool {
	return cmp.Or(a[i].at.Compare(a[j].at), cmp.Compare(a[i].id, a[j].id)) < 0
}
func (a alarms) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *alarms) Push(x any)   { *a = append(*a, x.(alarm)) }
func (a *alarms) Pop() any {
	old := *a
	x := old[len(old)-1]
	*a = old[:len(old)-1]
	return x
}
