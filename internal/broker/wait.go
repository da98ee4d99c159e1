package broker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// waitlist holds those who wait for a partition to change. Its zero value is
// empty; a partition nobody waits for pays one atomic load per change.
type waitlist struct {
	n  atomic.Int32
	mu sync.Mutex
	ws map[*waiter]struct{}
}

// waiter is one who waits for any of several partitions, a moment or its context.
type waiter struct {
	fired atomic.Bool
	ready func()
	undo  []func()
	armed chan struct{} // closed when undo is complete
}

// Await calls ready once, on a goroutine of its own, when one of the partitions
// has changed since Await was called, d has passed, ctx is done, or the caller
// says so by calling now: who looks at the partitions after Await misses nothing.
func Await(ctx context.Context, parts []*Partition, d time.Duration, ready func()) (now func()) {
	w := &waiter{ready: ready, armed: make(chan struct{})}
	for _, p := range parts {
		p.wait.add(w)
	}
	timer := time.AfterFunc(d, w.fire)
	stop := context.AfterFunc(ctx, w.fire)
	w.undo = append(w.undo, func() { timer.Stop() }, func() { stop() })
	for _, p := range parts {
		w.undo = append(w.undo, func() { p.wait.remove(w) })
	}
	close(w.armed)
	return w.fire
}

// fire wakes the waiter; only the first call counts. It does not block.
func (w *waiter) fire() {
	if w.fired.Swap(true) {
		return
	}
	go func() {
		<-w.armed
		for _, undo := range w.undo {
			undo()
		}
		w.ready()
	}()
}

func (l *waitlist) add(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ws == nil {
		l.ws = map[*waiter]struct{}{}
	}
	l.ws[w] = struct{}{}
	l.n.Store(int32(len(l.ws)))
}

func (l *waitlist) remove(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ws, w)
	l.n.Store(int32(len(l.ws)))
}

// wake fires everybody who waits. It runs on the flusher's goroutine.
func (l *waitlist) wake() {
	if l.n.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.ws {
		w.fire()
	}
}
