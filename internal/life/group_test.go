package life

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// diary records what parts did, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) equals(t *testing.T, want ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.lines, want) {
		t.Errorf("diary is\n  %q\nwant\n  %q", d.lines, want)
	}
}

// part writes its start and stop into the diary.
func (d *diary) part(name string) Part {
	return Part{
		Name:  name,
		Start: func(context.Context) error { d.add("start " + name); return nil },
		Stop:  func(context.Context) error { d.add("stop " + name); return nil },
	}
}

func TestGroupStartsInOrderAndStopsInReverse(t *testing.T) {
	t.Parallel()
	var d diary
	g := NewGroup(d.part("log"), d.part("broker"), d.part("door"))
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := g.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := g.Stop(t.Context()); err != nil {
		t.Fatal("second stop:", err)
	}
	d.equals(t, "start log", "start broker", "start door", "stop door", "stop broker", "stop log")
}

func TestGroupFailedStartStopsWhatStarted(t *testing.T) {
	t.Parallel()
	var d diary
	broken := Part{Name: "broker", Start: func(context.Context) error { return errors.New("port taken") },
		Stop: func(context.Context) error { d.add("stop broker"); return nil }}
	g := NewGroup(d.part("log"), broken, d.part("door"))
	err := g.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "start broker: port taken") {
		t.Fatalf("error is %v", err)
	}
	d.equals(t, "start log", "stop log")
}

func TestGroupStopBeforeStart(t *testing.T) {
	t.Parallel()
	var d diary
	g := NewGroup(d.part("log"))
	if err := g.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := g.Start(t.Context()); !errors.Is(err, ErrStopped) {
		t.Fatalf("start after stop: %v", err)
	}
	d.equals(t)
}

func TestGroupStopDuringStart(t *testing.T) {
	t.Parallel()
	var d diary
	inStart, goOn := make(chan struct{}), make(chan struct{})
	slow := Part{Name: "slow",
		Start: func(context.Context) error { close(inStart); <-goOn; return nil },
		Stop:  func(context.Context) error { d.add("stop slow"); return nil }}
	g := NewGroup(d.part("log"), slow, d.part("door"))
	started := make(chan error, 1)
	go func() { started <- g.Start(context.Background()) }()
	<-inStart
	stopped := make(chan error, 1)
	go func() { stopped <- g.Stop(context.Background()) }()
	for !g.isStopped() { // Stop has announced itself, and waits for the Start in progress
		select {
		case err := <-stopped:
			t.Fatal("Stop returned while a part was starting:", err)
		default:
		}
	}
	close(goOn)
	if err := <-started; !errors.Is(err, ErrStopped) {
		t.Errorf("start: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
	d.equals(t, "start log", "stop slow", "stop log")
}

func (g *Group) isStopped() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stopped
}

// A part that drains in time is never stopped hard.
func TestGroupDrainsBeforeDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drained := false
		g := NewGroup(Part{Name: "worker", Run: func(soft, hard context.Context) error {
			<-soft.Done()
			select {
			case <-time.After(3 * time.Second): // finishing what it began
				drained = true
			case <-hard.Done():
			}
			return nil
		}})
		if err := g.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := g.Stop(ctx); err != nil || !drained {
			t.Errorf("drained %v, error %v", drained, err)
		}
	})
}

// At the deadline every part is told at once, also those whose turn has not come.
func TestGroupDeadlineStopsHard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		stubborn := func(name string) Part {
			return Part{Name: name, Run: func(_, hard context.Context) error {
				<-hard.Done()
				d.add("hard " + name)
				return nil
			}}
		}
		g := NewGroup(stubborn("a"), stubborn("b"))
		if err := g.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := g.Stop(ctx); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("took %v of fake time, want the 5s of the deadline", took)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		slices.Sort(d.lines)
		if !slices.Equal(d.lines, []string{"hard a", "hard b"}) {
			t.Errorf("diary %q", d.lines)
		}
	})
}

// A part that ignores even the hard stop is named, and does not hold up the rest.
func TestGroupLeavesBehindAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		release := make(chan struct{})
		defer close(release)
		deaf := Part{Name: "deaf", Run: func(_, _ context.Context) error { <-release; return nil }}
		g := NewGroup(d.part("log"), deaf)
		if err := g.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := g.Stop(ctx)
		if err == nil || !strings.Contains(err.Error(), "stop deaf: has not returned") {
			t.Errorf("error is %v", err)
		}
		d.equals(t, "start log", "stop log")
	})
}

func TestGroupEndedNamesThePart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		give error
		want string
	}{{errors.New("disk on fire"), "pump: disk on fire"}, {nil, "pump: ended by itself"}} {
		g := NewGroup(Part{Name: "pump", Run: func(_, _ context.Context) error { return c.give }})
		if err := g.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-g.Ended()
		if got := g.Cause(); got == nil || got.Error() != c.want {
			t.Errorf("cause is %v, want %q", got, c.want)
		}
		_ = g.Stop(t.Context())
	}
}

func TestGroupNotEndedByStop(t *testing.T) {
	t.Parallel()
	g := NewGroup(Part{Name: "pump", Run: func(soft, _ context.Context) error { <-soft.Done(); return soft.Err() }})
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := g.Stop(t.Context()); err != nil {
		t.Errorf("a loop that returns its context's end is no failure: %v", err)
	}
	if g.Cause() != nil {
		t.Errorf("cause is %v", g.Cause())
	}
}

// Many starts and stops at once: every started part is stopped exactly once.
func TestGroupConcurrentStartStop(t *testing.T) {
	t.Parallel()
	for range 200 {
		var mu sync.Mutex
		started, stopped := 0, 0
		p := Part{Name: "p",
			Start: func(context.Context) error { mu.Lock(); started++; mu.Unlock(); return nil },
			Run:   func(soft, _ context.Context) error { <-soft.Done(); return nil },
			Stop:  func(context.Context) error { mu.Lock(); stopped++; mu.Unlock(); return nil }}
		g := NewGroup(p, p, p)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { _ = g.Stop(context.Background()) })
			wg.Go(func() { _ = g.Start(context.Background()) })
		}
		wg.Wait()
		mu.Lock()
		if started != stopped {
			t.Fatalf("%d parts started, %d stopped", started, stopped)
		}
		mu.Unlock()
	}
}
