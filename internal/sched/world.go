//go:build sim

package sched

import (
	"container/heap"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"
)

// World is one life of the engine under the scheduler: Run starts it, and it ends
// when its first task returns, when Stop is called, or when it is stuck. What
// happens in it depends on the seed and on what the tasks do, on nothing else.
//
// There is one World at a time in a process; the types of this package belong to
// the one that runs, and may only be used by its tasks.
type World struct {
	rng   *rand.Rand
	start time.Time
	clock time.Duration // since start

	tasks    []*task
	runnable []*task
	timers   timers
	current  *task
	names    int
	eager    float64 // odds of another task going on when a lock is taken or left

	steps, maxSteps int
	quiet           bool // no maybe for now
	over            bool // nothing runs any more but what unwinds
	dying           bool
	err             error
}

// Options of a World. Start must be set.
type Options struct {
	Seed uint64
	// Start is what the clock says at first.
	Start time.Time
	// MaxSteps ends a World that has made so many choices as one that does not
	// end by itself; 0 = 2 million.
	MaxSteps int
}

// task is a goroutine of the engine.
type task struct {
	id     int
	weight int // how often it is chosen, beside the others
	next   func() (struct{}, bool)
	stop   func()
	yield  func(struct{}) bool
	begun  bool
	ended  bool
	why    string // what it waits for; "" when it can go on
}

// killed unwinds the tasks of a World that is over.
type killed struct{}

// world is the one that runs.
var world *World

// Run runs main as the first task of a new World and all that it starts, until
// main returns, and unwinds what is left then. It reports a panic, a deadlock
// or a World without end.
func Run(opt Options, main func()) error {
	if world != nil {
		panic("sched: a World runs already: there is one at a time in a process")
	}
	if opt.MaxSteps == 0 {
		opt.MaxSteps = 2_000_000
	}
	w := &World{rng: rand.New(rand.NewPCG(opt.Seed, 0x5c4ed)), start: opt.Start, maxSteps: opt.MaxSteps}
	w.eager = []float64{0, 0.05, 0.3}[w.rng.IntN(3)]
	world = w
	defer func() { world = nil }()
	w.spawn(func() {
		main()
		w.over = true
	}).weight = 4
	for !w.over {
		w.step()
	}
	w.unwind()
	return w.err
}

// Stop ends the World that runs, here and now: as kill -9 ends a process.
// It does not return.
func Stop() {
	w := enter()
	w.over = true
	w.pause()
}

// Fail ends the World with an error, which Run returns. It does not return.
func Fail(err error) {
	w := enter()
	if w.err == nil {
		w.err = err
	}
	w.over = true
	w.pause()
}

// enter returns the World that the caller, one of its tasks, runs in.
func enter() *World {
	if world == nil {
		panic("sched: with the build tag sim the engine runs inside sched.Run alone")
	}
	return world
}

func (w *World) spawn(fn func()) *task {
	w.names++
	t := &task{id: w.names, weight: 2}
	switch w.rng.IntN(8) {
	case 0:
		t.weight = 1
	case 1:
		t.weight = 12
	}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer func() {
			t.ended = true
			switch r := recover().(type) {
			case nil, killed:
			default:
				if w.err == nil {
					w.err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
				}
				w.over = true
			}
		}()
		fn()
	})
	w.tasks = append(w.tasks, t)
	w.runnable = append(w.runnable, t)
	return t
}

// step lets one task go on up to its next pause.
func (w *World) step() {
	w.fire()
	for len(w.runnable) == 0 {
		if len(w.timers) == 0 {
			w.err, w.over = w.stuck("deadlock: nobody can go on"), true
			return
		}
		w.clock = max(w.clock, w.timers[0].at)
		w.fire()
	}
	if w.steps++; w.steps > w.maxSteps {
		w.err, w.over = w.stuck(fmt.Sprintf("no end after %d steps", w.maxSteps)), true
		return
	}
	t := w.pick()
	w.resume(t)
}

func (w *World) resume(t *task) {
	w.current, t.begun = t, true
	t.next()
	w.current = nil
	if t.ended {
		w.forget(t)
	}
}

func (w *World) forget(t *task) {
	if i := slices.Index(w.tasks, t); i >= 0 {
		w.tasks = slices.Delete(w.tasks, i, i+1)
	}
}

// pick draws one of those who can go on, and takes it out of their row.
func (w *World) pick() *task {
	i := 0
	if len(w.runnable) > 1 {
		sum := 0
		for _, t := range w.runnable {
			sum += t.weight
		}
		for n := w.rng.IntN(sum); ; i++ {
			if n -= w.runnable[i].weight; n < 0 {
				break
			}
		}
	}
	t := w.runnable[i]
	w.runnable = slices.Delete(w.runnable, i, i+1)
	return t
}

// pause gives control back to the World. It returns when the task goes on, and
// unwinds it when the World is over.
func (w *World) pause() {
	t := w.current
	if w.dying || !t.yield(struct{}{}) || w.dying {
		panic(killed{})
	}
}

// point lets another task go on, or the same.
func (w *World) point() {
	if w.dying {
		panic(killed{})
	}
	w.runnable = append(w.runnable, w.current)
	w.pause()
}

// maybe is a point now and then, and sometimes a while without the processor.
func (w *World) maybe() {
	if w.current == nil || w.dying || w.quiet || w.eager == 0 || w.rng.Float64() >= w.eager {
		return
	}
	if w.rng.IntN(12) == 0 {
		w.away(time.Duration(w.rng.IntN(3000))*time.Microsecond, "the processor")
	} else if len(w.runnable) > 0 {
		w.point()
	}
}

// away keeps the task waiting for d.
func (w *World) away(d time.Duration, why string) {
	t := w.current
	w.after(d, func() { w.wake(t) })
	w.block(why)
}

// block waits until somebody calls wake for the task.
func (w *World) block(why string) {
	if w.dying {
		panic(killed{})
	}
	w.current.why = why
	w.pause()
}

func (w *World) wake(t *task) {
	t.why = ""
	w.runnable = append(w.runnable, t)
}

func (w *World) stuck(what string) error {
	for _, t := range w.tasks {
		why := t.why
		if why == "" {
			why = "can go on"
		}
		what += fmt.Sprintf("\n  task %d: %s", t.id, why)
	}
	return fmt.Errorf("%s", what)
}

// unwind ends what is left: deferred calls run, and do nothing.
func (w *World) unwind() {
	w.dying = true
	for _, t := range w.tasks {
		w.current = t
		t.stop()
	}
	w.current = nil
}

// timer is a moment at which something happens.
type timer struct {
	at    time.Duration
	n     int // in the order in which they were set
	fn    func()
	index int
}

type timers []*timer

func (ts timers) Len() int { return len(ts) }
func (ts timers) Less(i, j int) bool {
	return ts[i].at < ts[j].at || ts[i].at == ts[j].at && ts[i].n < ts[j].n
}
func (ts timers) Swap(i, j int) {
	ts[i], ts[j] = ts[j], ts[i]
	ts[i].index, ts[j].index = i, j
}
func (ts *timers) Push(x any) {
	t := x.(*timer)
	t.index = len(*ts)
	*ts = append(*ts, t)
}
func (ts *timers) Pop() any {
	old := *ts
	t := old[len(old)-1]
	*ts = old[:len(old)-1]
	t.index = -1
	return t
}

func (w *World) after(d time.Duration, fn func()) *timer {
	w.names++
	t := &timer{at: w.clock + max(d, 0), n: w.names, fn: fn}
	heap.Push(&w.timers, t)
	return t
}

func (w *World) cancel(t *timer) bool {
	if t.index < 0 {
		return false
	}
	heap.Remove(&w.timers, t.index)
	return true
}

// fire does what is due.
func (w *World) fire() {
	for len(w.timers) > 0 && w.timers[0].at <= w.clock {
		heap.Pop(&w.timers).(*timer).fn()
	}
}

// Point lets another goroutine go on: where the engine calls the file system, and
// wherever else the order of goroutines matters. d is how long the call takes
// by the World's clock; while it does, the others go on.
func Point(d time.Duration) {
	w := enter()
	if w.dying {
		panic(killed{})
	}
	if d <= 0 {
		w.point()
		return
	}
	w.away(d, "the disk")
}

// Dying reports whether the World is over and its tasks are being unwound.
func Dying() bool { return world != nil && world.dying }

// Current is the number of the task that runs, for traces.
func Current() int { return enter().current.id }

// Steps is how many choices the World has made.
func Steps() int { return enter().steps }

// Draw returns a number below n from the World's seed.
func Draw(n int) int { return enter().rng.IntN(n) }
