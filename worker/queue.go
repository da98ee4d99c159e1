package worker

import (
	"container/heap"
	"time"
)

// queue holds the messages that wait for a call and forms batches of them. It is
// pure: time goes in, batches come out.
//
// Messages stand in lanes. Messages of one lane leave in their order, and while any
// of a lane is out the others wait, so a lane is what keeps an order: with OrderKey
// the key, with OrderStrict the partition, else each message has a lane to itself.
// Lanes whose next message may go now stand in ready, oldest message first; those
// that back off stand in delayed, soonest first; busy lanes stand in neither.
type queue struct {
	order   Order
	lanes   map[string]*lane // those that several messages share
	ready   laneHeap
	delayed laneHeap
	takable int    // messages that could leave now
	nextSeq uint64 // arrival number of the next message
}

type lane struct {
	key   string // in queue.lanes; empty with solo
	solo  bool   // one message's own
	q     []*Message
	out   int // taken and neither released nor put back
	in    *laneHeap
	index int // in *in
}

func newQueue(order Order) *queue {
	return &queue{
		order: order,
		lanes: map[string]*lane{},
		ready: laneHeap{less: func(a, b *lane) bool { return a.q[0].seq < b.q[0].seq }},
		delayed: laneHeap{less: func(a, b *lane) bool {
			return a.q[0].due.Before(b.q[0].due)
		}},
	}
}

// laneKey returns the name of the lane that m must share, ok false for none.
func (q *queue) laneKey(m *Message) (string, bool) {
	switch {
	case q.order == OrderKey && m.Key != nil:
		return string(m.Key), true
	case q.order == OrderStrict:
		return m.part.name, true
	}
	return "", false
}

// add puts a message that was just read at the end of its lane.
func (q *queue) add(m *Message, now time.Time) {
	m.seq, m.arrived = q.nextSeq, now
	q.nextSeq++
	key, shared := q.laneKey(m)
	switch {
	case !shared:
		m.solo.solo = true
		m.lane = &m.solo
	case q.lanes[key] == nil:
		m.lane = &lane{key: key}
		q.lanes[key] = m.lane
	default:
		m.lane = q.lanes[key]
	}
	l := m.lane
	l.q = append(l.q, m)
	if l.in == &q.ready {
		q.takable += q.weight(l) - q.weightOf(len(l.q)-1)
	} else if l.in == nil {
		q.place(l, now)
	}
}

// weight is how many messages of a ready lane one batch may take.
func (q *queue) weight(l *lane) int { return q.weightOf(len(l.q)) }

func (q *queue) weightOf(n int) int {
	if q.order == OrderStrict && n > 1 {
		return 1
	}
	return n
}

// place puts a lane where it belongs: nowhere when it is busy or empty.
func (q *queue) place(l *lane, now time.Time) {
	q.unplace(l)
	switch {
	case l.out > 0:
	case len(l.q) == 0:
		if !l.solo {
			delete(q.lanes, l.key)
		}
	case l.q[0].due.After(now):
		l.in = &q.delayed
		heap.Push(l.in, l)
	default:
		l.in = &q.ready
		heap.Push(l.in, l)
		q.takable += q.weight(l)
	}
}

func (q *queue) unplace(l *lane) {
	if l.in == nil {
		return
	}
	if l.in == &q.ready {
		q.takable -= q.weight(l)
	}
	heap.Remove(l.in, l.index)
	l.in = nil
}

// take returns the next batch: at most max messages, oldest first, as soon as there
// are max of them or the oldest has waited for wait. When it returns none, next is
// when to ask again if nothing is added meanwhile (zero: then never).
func (q *queue) take(now time.Time, max int, wait time.Duration) (batch []*Message, next time.Time) {
	q.wakeDelayed(now)
	if q.takable > 0 {
		closes := q.ready.lanes[0].q[0].arrived.Add(wait)
		if q.takable >= max || !closes.After(now) {
			batch = make([]*Message, 0, min(max, q.takable))
			for len(batch) < max && len(q.ready.lanes) > 0 {
				l := q.ready.lanes[0]
				batch = q.takeFrom(l, batch, min(q.weight(l), max-len(batch)))
			}
			return batch, time.Time{}
		}
		next = closes
	}
	if len(q.delayed.lanes) > 0 {
		if due := q.delayed.lanes[0].q[0].due; next.IsZero() || due.Before(next) {
			next = due
		}
	}
	return nil, next
}

// takeProbe returns one message to ask a backend with that seems to be down, nil
// when there is none. Each probe goes to the message that was asked with least, so
// that one guilty record cannot make the backend look dead for ever. Back-offs of
// single records do not count here: the probes' own does.
func (q *queue) takeProbe() *Message {
	var best *lane
	for _, h := range []*laneHeap{&q.ready, &q.delayed} {
		for _, l := range h.lanes {
			if best == nil || l.q[0].probes < best.q[0].probes ||
				l.q[0].probes == best.q[0].probes && l.q[0].seq < best.q[0].seq {
				best = l
			}
		}
	}
	if best == nil {
		return nil
	}
	m := q.takeFrom(best, nil, 1)[0]
	m.probes++
	return m
}

// takeFrom moves the first n messages of a ready or delayed lane into batch.
func (q *queue) takeFrom(l *lane, batch []*Message, n int) []*Message {
	q.unplace(l)
	for _, m := range l.q[:n] {
		m.inLane = true
		batch = append(batch, m)
	}
	l.q = l.q[n:]
	l.out += n
	return batch
}

func (q *queue) wakeDelayed(now time.Time) {
	for len(q.delayed.lanes) > 0 {
		l := q.delayed.lanes[0]
		if l.q[0].due.After(now) {
			return
		}
		q.place(l, now)
	}
}

// release lets the lane of a taken message go on without it. It may be called again
// for the same message and does nothing then.
func (q *queue) release(m *Message, now time.Time) {
	if !m.inLane {
		return
	}
	m.inLane = false
	m.lane.out--
	if m.lane.out == 0 {
		q.place(m.lane, now)
	}
}

// putBack returns a taken message to its place in its lane, not to leave before due.
func (q *queue) putBack(m *Message, due, now time.Time) {
	m.due = due
	l := m.lane
	if !l.solo && q.lanes[l.key] != l { // emptied and forgotten while m was held
		if cur := q.lanes[l.key]; cur != nil {
			l, m.lane = cur, cur
		} else {
			q.lanes[l.key] = l
		}
	}
	q.unplace(l)
	at := 0
	for at < len(l.q) && l.q[at].seq < m.seq {
		at++
	}
	l.q = append(l.q, nil)
	copy(l.q[at+1:], l.q[at:])
	l.q[at] = m
	if m.inLane {
		m.inLane = false
		l.out--
	}
	q.place(l, now)
}

// drop forgets the waiting messages for which gone is true.
func (q *queue) drop(gone func(*Message) bool, now time.Time) {
	all := make([]*lane, 0, len(q.lanes)+len(q.ready.lanes)+len(q.delayed.lanes))
	for _, l := range q.lanes {
		all = append(all, l)
	}
	for _, h := range []*laneHeap{&q.ready, &q.delayed} {
		for _, l := range h.lanes {
			if l.solo {
				all = append(all, l)
			}
		}
	}
	for _, l := range all {
		q.unplace(l)
		kept := l.q[:0:0]
		for _, m := range l.q {
			if !gone(m) {
				kept = append(kept, m)
			}
		}
		l.q = kept
		q.place(l, now)
	}
}

// laneHeap is a container/heap of lanes that have at least one message.
type laneHeap struct {
	lanes []*lane
	less  func(a, b *lane) bool
}

func (h *laneHeap) Len() int           { return len(h.lanes) }
func (h *laneHeap) Less(i, j int) bool { return h.less(h.lanes[i], h.lanes[j]) }
func (h *laneHeap) Swap(i, j int) {
	h.lanes[i], h.lanes[j] = h.lanes[j], h.lanes[i]
	h.lanes[i].index, h.lanes[j].index = i, j
}

func (h *laneHeap) Push(x any) {
	l := x.(*lane)
	l.index = len(h.lanes)
	h.lanes = append(h.lanes, l)
}

func (h *laneHeap) Pop() any {
	last := len(h.lanes) - 1
	l := h.lanes[last]
	h.lanes[last] = nil
	h.lanes = h.lanes[:last]
	return l
}
