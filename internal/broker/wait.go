package broker

import (
	"container/list"
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
	ws list.List // of *waiter, in the order in which they came
}

// waiter is one who waits for any of several partitions, a moment or its context.
type waiter struct {
	fired atomic.Bool
	ready func()
	undo  []func()
	armed sched.Event // undo is complete
}

// Await calls ready once, on a goroutine of its own, when one of the partitions
// has changed since Await was called, d has passed, ctx is done, or the caller
// says so by calling now: who looks at the partitions after Await misses nothing.
func Await(ctx context.Context, parts []*Partition, d time.Duration, ready func()) (now func()) {
	w := &waiter{ready: ready, armed: sched.NewEvent()}
	for _, p := range parts {
		e := p.wait.add(w)
		w.undo = append(w.undo, func() { p.wait.remove(e) })
	}
	timer := sched.AfterFunc(d, w.fire)
	stop := sched.AfterCancel(ctx, w.fire)
	w.undo = append(w.undo, func() { timer.Stop() }, func() { stop() })
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
		for _, undo := range w.undo {
			undo()
		}
		w.ready()
	})
}

func (l *waitlist) add(w *waiter) *list.Element {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n.Add(1)
	return l.ws.PushBack(w)
}

func (l *waitlist) remove(e *list.Element) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ws.Remove(e)
	l.n.Add(-1)
}

// wake fires everybody who waits. It runs on the flusher's goroutine.
func (l *waitlist) wake() {
	if l.n.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for e := l.ws.Front(); e != nil; e = e.Next() {
		e.Value.(*waiter).fire()
	}
}
