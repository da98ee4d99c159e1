package broker

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat/internal/sched"
)

// waitlist holds those who wait for a partition to change. Its zero value is
// empty; a partition nobody waits for pays one atomic load per change.
type waitlist struct {
	n  atomic.Int32
	mu sched.Mutex
	ws places
}

// waiter is one who waits for any of several partitions, a moment or its context: a
// timer and a place in each partition's list, no goroutine.
type waiter struct {
	fired  atomic.Bool
	ready  func()
	places []waitPlace
	timer  *sched.Timer
	stop   func() bool
	armed  sched.Event // all of the above is set
}

// waitPlace is a waiter's place in one partition's list.
type waitPlace struct {
	waiter     *waiter
	list       *waitlist
	prev, next *waitPlace
}

// places is a list of places, in the order in which they came.
type places struct {
	first, last *waitPlace
	len         int
}

// Len is the number of places.
func (l *places) Len() int { return l.len }

func (l *places) add(p *waitPlace) {
	if p.prev = l.last; p.prev == nil {
		l.first = p
	} else {
		p.prev.next = p
	}
	l.last = p
	l.len++
}

func (l *places) remove(p *waitPlace) {
	if p.prev == nil {
		l.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		l.last = p.prev
	} else {
		p.next.prev = p.prev
	}
	p.prev, p.next = nil, nil
	l.len--
}

// Await calls ready once, on a goroutine of its own, when one of the partitions
// has changed since Await was called, d has passed, ctx is done, or the caller
// says so by calling now: who looks at the partitions after Await misses nothing.
func Await(ctx context.Context, parts []*Partition, d time.Duration, ready func()) (now func()) {
	lists := make([]*waitlist, len(parts))
	for i, p := range parts {
		lists[i] = &p.wait
	}
	return await(ctx, lists, d, ready)
}

// await is Await for lists of any kind.
func await(ctx context.Context, lists []*waitlist, d time.Duration, ready func()) (now func()) {
	w := &waiter{ready: ready, places: make([]waitPlace, len(lists)), armed: sched.NewEvent()}
	for i, l := range lists {
		w.places[i] = waitPlace{waiter: w, list: l}
		l.add(&w.places[i])
	}
	w.timer = sched.AfterFunc(d, w.fire)
	w.stop = sched.AfterCancel(ctx, w.fire)
	w.armed.Set()
	return w.fire
}

// fire wakes the waiter; only the first call counts. It does not block.
func (w *waiter) fire() {
	if w.fired.Swap(true) {
		return
	}
	sched.Go(func() {
		w.armed.Wait()
		for i := range w.places {
			w.places[i].list.remove(&w.places[i])
		}
		w.timer.Stop()
		w.stop()
		w.ready()
	})
}

func (l *waitlist) add(p *waitPlace) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n.Add(1)
	l.ws.add(p)
}

func (l *waitlist) remove(p *waitPlace) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ws.remove(p)
	l.n.Add(-1)
}

// wake fires everybody who waits. It runs on the flusher's goroutine.
func (l *waitlist) wake() {
	if l.n.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := l.ws.first; p != nil; p = p.next {
		p.waiter.fire()
	}
}
