//go:build !sim

package sched

import (
	"context"
	"crypto/rand"
	"runtime"
	"sync"
	"time"
)

// The standard library's own.
type (
	Mutex     = sync.Mutex
	RWMutex   = sync.RWMutex
	Cond      = sync.Cond
	WaitGroup = sync.WaitGroup
	Timer     = time.Timer
)

// Go runs fn on a goroutine of its own.
func Go(fn func()) { go fn() }

// Yield lets others run that could: runtime.Gosched.
func Yield() { runtime.Gosched() }

// Now is time.Now.
func Now() time.Time { return time.Now() }

// AfterFunc is time.AfterFunc.
func AfterFunc(d time.Duration, fn func()) *Timer { return time.AfterFunc(d, fn) }

// WithCancel is context.WithCancel.
func WithCancel(parent context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(parent)
}

// AfterCancel is context.AfterFunc.
func AfterCancel(ctx context.Context, fn func()) (stop func() bool) {
	return context.AfterFunc(ctx, fn)
}

// Random fills p with random bytes that nobody can guess.
func Random(p []byte) { rand.Read(p) } // never fails (crypto/rand since Go 1.24)

// Sleep waits for d, or until ctx is done, and reports whether d has passed.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Event happens once. Any number of goroutines may wait for it. Make it with
// NewEvent.
type Event struct{ ch chan struct{} }

// NewEvent returns an event that has not happened.
func NewEvent() Event { return Event{make(chan struct{})} }

// Set makes the event happen. It must be called at most once.
func (e Event) Set() { close(e.ch) }

// Wait waits until the event has happened.
func (e Event) Wait() { <-e.ch }

// WaitOr waits until the event has happened (true) or ctx is done (false).
func (e Event) WaitOr(ctx context.Context) bool {
	select {
	case <-e.ch:
		return true
	case <-ctx.Done():
		return false
	}
}

// Bell wakes the one goroutine that waits for it. A ring while nobody waits is
// kept for the next Wait; further ones add nothing. Make it with NewBell.
type Bell struct {
	ch    chan struct{}
	timer *time.Timer // of the waiter
}

// NewBell returns a bell that has not rung.
func NewBell() *Bell { return &Bell{ch: make(chan struct{}, 1)} }

// Ring wakes the waiter. It does not block.
func (b *Bell) Ring() {
	select {
	case b.ch <- struct{}{}:
	default:
	}
}

// Wait waits for a ring, at most for d; with a negative d as long as it takes. It
// reports whether the bell rang. One goroutine waits at a time.
func (b *Bell) Wait(d time.Duration) bool {
	if d < 0 {
		<-b.ch
		return true
	}
	if b.timer == nil {
		b.timer = time.NewTimer(d)
	} else {
		b.timer.Reset(d)
	}
	select {
	case <-b.ch:
		b.timer.Stop()
		return true
	case <-b.timer.C:
		return false
	}
}
