//go:build sim

package sched

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// play runs a few tasks that use everything, and returns what they did in order.
func play(t *testing.T, seed uint64) []string {
	t.Helper()
	var lines []string
	err := Run(Options{Seed: seed, Start: time.Unix(1000, 0)}, func() {
		var mu Mutex
		var rw RWMutex
		cond := Cond{L: &mu}
		bell, done := NewBell(), NewEvent()
		var group WaitGroup
		note := func(format string, args ...any) {
			lines = append(lines, fmt.Sprintf("%v task %d ", Now().Sub(time.Unix(1000, 0)), Current())+fmt.Sprintf(format, args...))
		}
		queue, taken := 0, 0
		for i := range 3 {
			group.Go(func() {
				for range 4 {
					Point(time.Duration(Draw(2)) * time.Millisecond)
					mu.Lock()
					queue++
					note("puts %d", i)
					cond.Signal()
					mu.Unlock()
				}
			})
		}
		group.Go(func() {
			mu.Lock()
			defer mu.Unlock()
			for taken < 12 {
				for queue == 0 {
					cond.Wait()
				}
				queue--
				taken++
				note("takes")
				bell.Ring()
			}
			done.Set()
		})
		ctx, cancel := WithCancel(context.Background())
		group.Go(func() {
			rung := 0
			for ctx.Err() == nil {
				rw.RLock()
				rw.RUnlock()
				if bell.Wait(time.Second) {
					rung++
				}
			}
			note("rang %v", rung > 0)
		})
		AfterFunc(time.Hour, func() { note("the hour") })
		done.Wait()
		rw.Lock()
		rw.Unlock()
		if !Sleep(ctx, 2*time.Hour) {
			t.Error("sleep was cut short")
		}
		AfterFunc(time.Minute, cancel)
		if Sleep(ctx, time.Hour) || done.WaitOr(ctx) != true {
			t.Error("a cancellation was not seen")
		}
		group.Wait()
		note("end")
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// The same seed does the same, another one something else.
func TestSeedsDecide(t *testing.T) {
	different := map[string]bool{}
	for seed := range uint64(50) {
		a, b := play(t, seed), play(t, seed)
		if !slices.Equal(a, b) {
			t.Fatalf("seed %d:\n%s\nand then\n%s", seed, strings.Join(a, "\n"), strings.Join(b, "\n"))
		}
		if len(a) != 12+12+3 || !strings.HasSuffix(a[len(a)-1], "end") {
			t.Fatalf("seed %d: %q", seed, a)
		}
		different[strings.Join(a, "\n")] = true
	}
	if len(different) < 40 {
		t.Errorf("50 seeds led to %d orders", len(different))
	}
}

// Who waits for each other is told, and so is who never ends.
func TestStuckIsTold(t *testing.T) {
	err := Run(Options{}, func() {
		var a, b Mutex
		a.Lock()
		b.Lock()
		Go(func() { a.Lock() })
		b.Lock()
	})
	if err == nil || !strings.Contains(err.Error(), "deadlock") || strings.Count(err.Error(), "a lock") != 2 {
		t.Errorf("a deadlock: %v", err)
	}
	err = Run(Options{MaxSteps: 100}, func() {
		for {
			Point(0)
		}
	})
	if err == nil || !strings.Contains(err.Error(), "no end") {
		t.Errorf("without end: %v", err)
	}
}

// An end unwinds everybody: deferred calls run, nothing goes on, and a panic of
// the engine's own is reported.
func TestStopAndPanics(t *testing.T) {
	unwound, went := 0, false
	err := Run(Options{}, func() {
		var mu Mutex
		for range 3 {
			Go(func() {
				defer func() { unwound++ }()
				defer mu.Unlock()
				mu.Lock()
				NewEvent().Wait()
				went = true
			})
		}
		Sleep(context.Background(), time.Second)
		Stop()
		went = true
	})
	if err != nil || unwound != 3 || went {
		t.Errorf("%v, %d unwound, went on: %v", err, unwound, went)
	}
	err = Run(Options{}, func() {
		Go(func() { panic("a mistake") })
		NewEvent().Wait()
	})
	if err == nil || !strings.Contains(err.Error(), "a mistake") {
		t.Errorf("a panic: %v", err)
	}
	failed := errors.New("the checker says no")
	if err = Run(Options{}, func() { Fail(failed) }); !errors.Is(err, failed) {
		t.Errorf("a failure: %v", err)
	}
}

func BenchmarkPoint(b *testing.B) {
	err := Run(Options{MaxSteps: b.N + 1000}, func() {
		var group WaitGroup
		for range 4 {
			group.Go(func() {
				for range b.N / 4 {
					Point(0)
				}
			})
		}
		group.Wait()
	})
	if err != nil {
		b.Fatal(err)
	}
}
