package broker

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat/internal/sched"
)

// coordLoop is the one goroutine behind all machines of a coordinator: it brings them
// the time and what became durable. The flusher must not wait for a machine's lock.
type coordLoop[S coordShard] struct {
	now  func() time.Time
	wake *sched.Bell
	quit atomic.Bool
	done sched.Event

	mu        sched.Mutex
	deadlines map[S]time.Time
	timerAt   time.Time // when the loop wakes by itself; zero: never
	durables  map[S]durables
}

// coordShard is a machine with the lock and the log around it.
type coordShard interface {
	comparable
	// index is the partition: what machines write is written in its order each time.
	index() int32
	// settled tells that the writes up to an ID are durable, or, with an error, that
	// those under way never will be.
	settled(upTo uint64, err error)
	tick()
}

// durables is what the flusher has said about a machine's writes: those up to
// upTo are on disk; with err the ones behind will never be.
type durables struct {
	upTo uint64
	err  error
}

func (l *coordLoop[S]) start(now func() time.Time) {
	l.now, l.wake, l.done = now, sched.NewBell(), sched.NewEvent()
	l.deadlines, l.durables = map[S]time.Time{}, map[S]durables{}
	sched.Go(l.run)
}

func (l *coordLoop[S]) stop() {
	l.quit.Store(true)
	l.wake.Ring()
	l.done.Wait()
}

// durable takes the news from the flusher.
func (l *coordLoop[S]) durable(s S, id uint64, err error) {
	l.mu.Lock()
	d := l.durables[s]
	if err != nil {
		d.err = err
	} else {
		d.upTo = max(d.upTo, id)
	}
	l.durables[s] = d
	l.mu.Unlock()
	l.wake.Ring()
}

// expect sets when a machine has to be told the time.
func (l *coordLoop[S]) expect(s S, at time.Time) {
	l.mu.Lock()
	l.deadlines[s] = at
	sooner := !at.IsZero() && (l.timerAt.IsZero() || at.Before(l.timerAt))
	l.mu.Unlock()
	if sooner {
		l.wake.Ring()
	}
}

func (l *coordLoop[S]) run() {
	defer l.done.Set()
	for !l.quit.Load() {
		now := l.now()
		news, due, next := l.take(now)
		for _, s := range slices.SortedFunc(maps.Keys(news), byIndex[S]) {
			if d := news[s]; d.upTo > 0 {
				s.settled(d.upTo, nil)
			}
			if d := news[s]; d.err != nil {
				s.settled(0, d.err)
			}
		}
		for _, s := range due {
			s.tick()
		}
		switch {
		case len(news) > 0 || len(due) > 0: // they may have set other deadlines
		case next.IsZero():
			l.wake.Wait(-1)
		default:
			l.wake.Wait(max(next.Sub(now), 0))
		}
	}
}

// take returns what there is to tell, and when the next machine is due.
func (l *coordLoop[S]) take(now time.Time) (news map[S]durables, due []S, next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.durables) > 0 {
		news, l.durables = l.durables, map[S]durables{}
	}
	l.timerAt = time.Time{}
	for s, at := range l.deadlines {
		switch {
		case at.IsZero():
		case !now.Before(at):
			due = append(due, s)
		case l.timerAt.IsZero() || at.Before(l.timerAt):
			l.timerAt = at
		}
	}
	slices.SortFunc(due, byIndex[S])
	return news, due, l.timerAt
}

func byIndex[S coordShard](a, b S) int { return cmp.Compare(a.index(), b.index()) }
