package life

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// settle is how long Stop waits, after the deadline, for a part that was told
// to stop hard. A part that takes longer is named in Stop's error and left
// behind: a process that cannot exit is worse than one part cut off.
const settle = time.Second

// Part is one long-lived thing. Every field but Name may be left out.
type Part struct {
	// Name is the part's name in errors.
	Name string
	// Start makes the part ready and returns; the parts after it start when it
	// has returned nil. Its context is the one given to Group.Start.
	Start func(ctx context.Context) error
	// Run is the part's loop. The group runs it on a goroutine of its own after
	// Start. It drains and returns when soft ends, and returns at once when hard
	// ends (hard ends after soft, never before). A return before soft ends, with or
	// without an error, is the end of the whole group: see Group.Ended.
	Run func(soft, hard context.Context) error
	// Stop drains the part and frees what it holds; hard ends at the deadline.
	// It is called once, after soft ended for Run, and only if Start succeeded.
	Stop func(hard context.Context) error
}

// Group is an ordered set of parts. Make one with NewGroup.
type Group struct {
	parts []Part

	mu      sync.Mutex
	began   bool
	stopped bool // Stop was called: nothing may start any more
	running []*running
	ended   chan struct{} // closed when a Run returned before it was told to
	cause   error         // why, set before ended is closed

	startDone chan struct{} // closed when Start returned, if it was called
	stopDone  chan struct{} // closed when the first Stop is through
	stopErr   error         // its result, set before stopDone is closed
}

// running is a part that has been started.
type running struct {
	part     Part
	drain    context.CancelFunc // ends soft
	kill     context.CancelFunc // ends hard
	finished chan struct{}      // closed when Run returned; nil without Run
	err      error              // what Run returned; read after finished
}

// ErrStopped is returned by Start when Stop came before it.
var ErrStopped = errors.New("stopped before it was started")

// NewGroup returns a group of the given parts, in starting order.
func NewGroup(parts ...Part) *Group {
	return &Group{
		parts:     parts,
		ended:     make(chan struct{}),
		startDone: make(chan struct{}),
		stopDone:  make(chan struct{}),
	}
}

// Start starts the parts in order and returns when all are ready. When one
// fails, or Stop is called meanwhile, those already started are stopped in
// reverse order (with the deadline of ctx) and the error names the part.
// Start may be called once.
func (g *Group) Start(ctx context.Context) error {
	g.mu.Lock()
	if g.began || g.stopped {
		defer g.mu.Unlock()
		if g.began {
			return errors.New("started twice")
		}
		return ErrStopped
	}
	g.began = true
	g.mu.Unlock()

	err := g.startParts(ctx)
	close(g.startDone)
	if err != nil {
		return errors.Join(err, g.Stop(ctx))
	}
	return nil
}

func (g *Group) startParts(ctx context.Context) error {
	for _, p := range g.parts {
		if p.Start != nil {
			if err := p.Start(ctx); err != nil {
				return fmt.Errorf("start %s: %w", p.Name, err)
			}
		}
		if !g.adopt(p) {
			return ErrStopped
		}
	}
	return nil
}

// adopt notes that p has started and sets its loop going. It reports whether
// the group may go on starting.
func (g *Group) adopt(p Part) bool {
	soft, drain := context.WithCancel(context.Background())
	hard, kill := context.WithCancel(context.Background())
	r := &running{part: p, drain: drain, kill: kill}

	g.mu.Lock()
	defer g.mu.Unlock()
	g.running = append(g.running, r)
	if g.stopped {
		return false // its Stop is still called: it did start
	}
	if p.Run != nil {
		r.finished = make(chan struct{})
		go func() {
			r.err = p.Run(soft, hard)
			if soft.Err() == nil {
				g.end(fmt.Errorf("%s: %w", p.Name, orEnded(r.err)))
			}
			close(r.finished)
		}()
	}
	return true
}

var errRunEnded = errors.New("ended by itself")

func orEnded(err error) error {
	if err == nil {
		return errRunEnded
	}
	return err
}

// end records the first part that ended before it was told to.
func (g *Group) end(cause error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause == nil {
		g.cause = cause
		close(g.ended)
	}
}

// Ended is closed when some part's Run returned before it was told to drain.
// The owner then calls Stop; the group does not stop itself, for the owner
// knows the deadline.
func (g *Group) Ended() <-chan struct{} { return g.ended }

// Cause returns why Ended was closed, naming the part; nil before.
func (g *Group) Cause() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cause
}

// Stop drains the started parts in reverse order and returns when all have
// stopped. When ctx ends, every part that has not stopped is stopped hard at
// once. The error joins what parts returned (a Run's error only if it was told
// to stop) and names those that did not stop at all. Every later or concurrent
// call waits for the first one, or its own ctx, and returns the same result.
func (g *Group) Stop(ctx context.Context) error {
	g.mu.Lock()
	first, began := !g.stopped, g.began
	g.stopped = true
	g.mu.Unlock()
	if !first {
		select {
		case <-g.stopDone:
			return g.stopErr
		case <-ctx.Done():
			return fmt.Errorf("still stopping: %w", ctx.Err())
		}
	}
	defer close(g.stopDone)
	if began {
		// A part in the middle of its Start is not ours to interrupt; its
		// context is Start's. adopt refuses the next one.
		<-g.startDone
	}
	g.stopErr = g.stopParts(ctx)
	return g.stopErr
}

func (g *Group) stopParts(ctx context.Context) error {
	g.mu.Lock()
	parts := g.running
	g.mu.Unlock()

	unwatch := context.AfterFunc(ctx, func() {
		for _, r := range parts {
			r.drain()
			r.kill()
		}
	})
	defer unwatch()

	var errs []error
	for i := len(parts) - 1; i >= 0; i-- {
		if err := parts[i].stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", parts[i].part.Name, err))
		}
	}
	return errors.Join(errs...)
}

// stop ends one part: soft, its own Stop, then its loop.
func (r *running) stop(ctx context.Context) error {
	defer r.kill()
	r.drain()
	var errs []error
	if r.part.Stop != nil {
		returned := make(chan error, 1)
		go func() { returned <- r.part.Stop(ctx) }()
		err, ok := await(ctx, returned)
		if !ok {
			err = errLeftBehind
		}
		errs = append(errs, err)
	}
	if r.finished != nil {
		if _, ok := await(ctx, r.finished); !ok {
			errs = append(errs, errLeftBehind)
		} else if r.err != nil && !errors.Is(r.err, context.Canceled) {
			errs = append(errs, r.err)
		}
	}
	return errors.Join(errs...)
}

var errLeftBehind = fmt.Errorf("has not returned %v after the deadline, left behind", settle)

// await waits for c until settle has passed after the end of ctx.
func await[T any](ctx context.Context, c <-chan T) (v T, ok bool) {
	select {
	case v = <-c:
		return v, true
	case <-ctx.Done():
	}
	t := time.NewTimer(settle)
	defer t.Stop()
	select {
	case v = <-c:
		return v, true
	case <-t.C:
		return v, false
	}
}
