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
type coordLoop[S comparable] struct {
	coordWork[S]
	wake *sched.Bell
	quit atomic.Bool
	done sched.Event

	mu        sched.Mutex
	deadlines map[S]time.Time
	choreAt   time.Time // zero: never
	timerAt   time.Time // when the loop wakes by itself; zero: never
	durables  map[S]durables
}

// coordWork is what a coordLoop does. S is a machine with the lock and the log around it.
type coordWork[S comparable] struct {
	now func() time.Time
	// compare is the order in which they are told: what they write is written in the
	// same order each time.
	compare func(a, b S) int
	tick    func(S)
	// settled tells that the writes up to an ID are durable, or, with an error, that
	// those under way never will be; nil when durable is never called.
	settled func(s S, upTo uint64, err error)
	// chore, which may be nil, is done again and again.
	chore func()
	every time.Duration
}

// durables is what the flusher has said about a machine's writes: those up to
// upTo are on disk; with err the ones behind will never be.
type durables struct {
	upTo uint64
	err  error
}

// byPartition is the order of shards.
func byPartition[S interface{ index() int32 }](a, b S) int { return cmp.Compare(a.index(), b.index()) }

func (l *coordLoop[S]) start(work coordWork[S]) {
	l.coordWork, l.wake, l.done = work, sched.NewBell(), sched.NewEvent()
	l.deadlines, l.durables = map[S]time.Time{}, map[S]durables{}
	if l.chore != nil {
		l.choreAt = l.now().Add(l.every)
	}
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

// expect sets when a machine has to be told the time; zero: never.
func (l *coordLoop[S]) expect(s S, at time.Time) {
	l.mu.Lock()
	sooner := false
	if at.IsZero() {
		delete(l.deadlines, s)
	} else {
		l.deadlines[s] = at
		sooner = l.timerAt.IsZero() || at.Before(l.timerAt)
	}
	l.mu.Unlock()
	if sooner {
		l.wake.Ring()
	}
}

func (l *coordLoop[S]) run() {
	defer l.done.Set()
	for !l.quit.Load() {
		now := l.now()
		news, due, chore, next := l.take(now)
		for _, s := range slices.SortedFunc(maps.Keys(news), l.compare) {
			if d := news[s]; d.upTo > 0 {
				l.settled(s, d.upTo, nil)
			}
			if d := news[s]; d.err != nil {
				l.settled(s, 0, d.err)
			}
		}
		for _, s := range due {
			l.tick(s)
		}
		if chore {
			l.chore()
		}
		switch {
		case len(news) > 0 || len(due) > 0 || chore: // they may have set other deadlines
		case next.IsZero():
			l.wake.Wait(-1)
		default:
			l.wake.Wait(max(next.Sub(now), 0))
		}
	}
}

// take returns what there is to tell, whether the chore is due, and when anything is
// due next.
func (l *coordLoop[S]) take(now time.Time) (news map[S]durables, due []S, chore bool, next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.durables) > 0 {
		news, l.durables = l.durables, map[S]durables{}
	}
	if chore = l.chore != nil && !now.Before(l.choreAt); chore {
		l.choreAt = now.Add(l.every)
	}
	l.timerAt = l.choreAt
	for s, at := range l.deadlines {
		switch {
		case !now.Before(at):
			due = append(due, s)
			delete(l.deadlines, s) // the machine says when the next one is
		case l.timerAt.IsZero() || at.Before(l.timerAt):
			l.timerAt = at
		}
	}
	slices.SortFunc(due, l.compare)
	return news, due, chore, l.timerAt
}
