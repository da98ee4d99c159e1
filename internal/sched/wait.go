//go:build sim

package sched

import (
	"context"
	"time"
)

// WaitGroup is sync.WaitGroup.
type WaitGroup struct {
	n    int
	wait line
}

// Add changes the count.
func (g *WaitGroup) Add(n int) {
	w := enter()
	if w.dying {
		return
	}
	if g.n += n; g.n < 0 {
		panic("sched: negative WaitGroup counter")
	}
	if g.n == 0 {
		g.wait.all(w)
	}
}

// Done takes one from the count.
func (g *WaitGroup) Done() { g.Add(-1) }

// Go runs fn as a task that counts.
func (g *WaitGroup) Go(fn func()) {
	g.Add(1)
	Go(func() {
		defer g.Done()
		fn()
	})
}

// Wait waits until the count is zero.
func (g *WaitGroup) Wait() {
	w := enter()
	for g.n > 0 {
		g.wait.wait(w, "a WaitGroup")
	}
}

// Timer is the time.Timer of a time.AfterFunc.
type Timer struct {
	fn func()
	t  *timer
}

// AfterFunc runs fn as a task of its own when d has passed.
func AfterFunc(d time.Duration, fn func()) *Timer {
	w := enter()
	t := &Timer{fn: fn}
	t.t = w.after(d, t.fire)
	return t
}

func (t *Timer) fire() { Go(t.fn) }

// Stop reports whether it came in time.
func (t *Timer) Stop() bool { return enter().cancel(t.t) }

// Reset sets the timer anew, and reports whether it was still set.
func (t *Timer) Reset(d time.Duration) bool {
	w := enter()
	was := w.cancel(t.t)
	t.t = w.after(d, t.fire)
	return was
}

// Sleep waits for d, or until ctx is done, and reports whether d has passed.
func Sleep(ctx context.Context, d time.Duration) bool {
	e := NewEvent()
	passed := false
	t := AfterFunc(d, func() {
		passed = true
		e.set()
	})
	defer t.Stop()
	stop := AfterCancel(ctx, e.set)
	defer stop()
	e.Wait()
	return passed
}

// Event happens once.
type Event struct{ *event }

type event struct {
	happened bool
	wait     line
}

// NewEvent returns an event that has not happened.
func NewEvent() Event { return Event{&event{}} }

// Set makes the event happen. It must be called at most once.
func (e Event) Set() {
	w := enter()
	if w.dying {
		return
	}
	if e.happened {
		panic("sched: an Event is set twice")
	}
	e.set()
	w.maybe()
}

func (e *event) set() {
	e.happened = true
	e.wait.all(enter())
}

// Wait waits until the event has happened.
func (e Event) Wait() {
	w := enter()
	for !e.happened {
		e.wait.wait(w, "an event")
	}
}

// WaitOr waits until the event has happened (true) or ctx is done (false).
func (e Event) WaitOr(ctx context.Context) bool {
	w := enter()
	stop := AfterCancel(ctx, func() { e.wait.all(w) })
	defer stop()
	for !e.happened && ctx.Err() == nil {
		e.wait.wait(w, "an event or a cancellation")
	}
	return e.happened
}

// Bell wakes the one task that waits for it.
type Bell struct {
	rung bool
	wait line
}

// NewBell returns a bell that has not rung.
func NewBell() *Bell { return &Bell{} }

// Ring wakes the waiter.
func (b *Bell) Ring() {
	w := enter()
	if w.dying {
		return
	}
	b.rung = true
	b.wait.all(w)
	w.maybe()
}

// Wait waits for a ring, at most for d; with a negative d as long as it takes.
func (b *Bell) Wait(d time.Duration) bool {
	w := enter()
	over := false
	if d >= 0 && !b.rung {
		t := w.after(d, func() {
			over = true
			b.wait.all(w)
		})
		defer w.cancel(t)
	}
	for !b.rung && !over {
		b.wait.wait(w, "a bell")
	}
	rung := b.rung
	b.rung = false
	return rung
}

// cancelable is a context that tasks wait for.
type cancelable struct {
	context.Context // the parent
	done            chan struct{}
	err             error
	after           []*func()
}

// Done implements context.Context.
func (c *cancelable) Done() <-chan struct{} { return c.done }

// Err implements context.Context.
func (c *cancelable) Err() error { return c.err }

// WithCancel is context.WithCancel.
func WithCancel(parent context.Context) (context.Context, context.CancelFunc) {
	c := &cancelable{Context: parent, done: make(chan struct{})}
	cancel := func() {
		if c.err != nil {
			return
		}
		c.err = context.Canceled
		close(c.done)
		for _, fn := range c.after {
			Go(*fn)
		}
		c.after = nil
	}
	AfterCancel(parent, cancel)
	return c, cancel
}

// AfterCancel is context.AfterFunc, for contexts of WithCancel and those that end
// never.
func AfterCancel(ctx context.Context, fn func()) (stop func() bool) {
	if ctx.Done() == nil {
		return func() bool { return true }
	}
	c, ok := ctx.(*cancelable)
	if !ok {
		panic("sched: a context that is not of sched.WithCancel cannot be waited for in the simulation")
	}
	if c.err != nil {
		Go(fn)
		return func() bool { return false }
	}
	p := &fn
	c.after = append(c.after, p)
	return func() bool {
		for i, o := range c.after {
			if o == p {
				c.after = append(c.after[:i:i], c.after[i+1:]...)
				return true
			}
		}
		return false
	}
}
