// Package trim hands memory back to the operating system when a load has ended. The
// Go runtime collects when the heap has grown, not when the work stops: what the last
// moments of a load have left, and what was kept for the next request, would stay for
// minutes. A Trimmer watches the garbage collector, which runs as long as there is
// something to do; when that has been silent for a while, it lets go, and looks once more
// some time later. Then it has no timer running and wakes nobody while nothing happens.
package trim

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// Quiet is how long the garbage collector has to be silent.
const Quiet = 5 * time.Second

// afterwards is how many times as long it is until it looks once more: the checkpoint
// that follows a load within half a minute leaves garbage, and the collector need not
// run for that.
const afterwards = 7

// least is how much memory must have come since the last time.
const least = 2 << 20

// Trimmer is a running watch. There should be one in a process.
type Trimmer struct {
	quiet   time.Duration
	release func()

	collected chan struct{}
	quit      chan struct{}
	ended     chan struct{}
	stop      sync.Once
}

// Start watches, and lets go of memory for the first time a moment after now. First
// of all it calls release (may be nil), on its own goroutine, which gives up what is
// kept only to be used again.
func Start(release func()) *Trimmer { return start(Quiet, release) }

func start(quiet time.Duration, release func()) *Trimmer {
	t := &Trimmer{
		quiet: quiet, release: release,
		collected: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}),
	}
	t.watch()
	go t.run()
	return t
}

// Stop ends the watch. It may be called more than once.
func (t *Trimmer) Stop() {
	t.stop.Do(func() { close(t.quit) })
	<-t.ended
}

// sentinel is found dead by every collection.
type sentinel struct{ _ *byte }

func (t *Trimmer) watch() {
	runtime.AddCleanup(&sentinel{new(byte)}, func(t *Trimmer) {
		select {
		case <-t.quit:
			return
		default:
		}
		select {
		case t.collected <- struct{}{}:
		default:
		}
		t.watch()
	}, t)
}

func (t *Trimmer) run() {
	defer close(t.ended)
	timer := time.NewTimer(t.quiet)
	defer timer.Stop()
	var w watch
	for {
		select {
		case <-t.quit:
			return
		case <-t.collected:
			if w.activity(read()) {
				timer.Reset(t.quiet)
			}
		case <-timer.C:
			if !w.worthwhile(read()) {
				continue
			}
			if t.release != nil {
				t.release()
			}
			runtime.GC() // what sync.Pools hold goes with the second collection
			debug.FreeOSMemory()
			dropProgramPages()
			w.held = read().held
			timer.Reset(afterwards * t.quiet)
		}
	}
}

// watch decides what a collection means.
type watch struct {
	seen uint64 // collections that nobody asked for
	held int64  // what was left the last time
}

// activity tells whether the newest collection says that there is something to do.
// Those that letting go is made of do not.
func (w *watch) activity(now state) bool {
	news := now.collections != w.seen
	w.seen = now.collections
	return news
}

// worthwhile tells whether there is something to let go of; not after one of the
// collections that the runtime makes every few minutes.
func (w *watch) worthwhile(now state) bool { return now.held-w.held >= least }

// state is what the runtime says.
type state struct {
	collections uint64
	held        int64 // bytes that the process has from the system
}

func read() state {
	s := []metrics.Sample{
		{Name: "/gc/cycles/automatic:gc-cycles"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(s)
	return state{collections: s[0].Value.Uint64(), held: int64(s[1].Value.Uint64() - s[2].Value.Uint64())}
}
