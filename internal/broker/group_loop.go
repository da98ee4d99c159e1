package broker

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat/internal/coord/group"
	"github.com/leatdev/leat/internal/sched"
)

// groupLoop is the one goroutine behind all machines: it brings them the time
// and what became durable. The flusher must not wait for a machine's lock.
type groupLoop struct {
	groups *Groups
	wake   *sched.Bell
	quit   atomic.Bool
	done   sched.Event

	mu        sched.Mutex
	deadlines map[*groupShard]time.Time
	timerAt   time.Time // when the loop wakes by itself; zero: never
	durables  map[*groupShard]durables
}

// durables is what the flusher has said about a machine's writes: those up to
// upTo are on disk; with err the ones behind will never be.
type durables struct {
	upTo uint64
	err  error
}

func (l *groupLoop) start(g *Groups) {
	l.groups = g
	l.wake = sched.NewBell()
	l.done = sched.NewEvent()
	l.deadlines = make(map[*groupShard]time.Time)
	l.durables = make(map[*groupShard]durables)
	sched.Go(l.run)
}

func (l *groupLoop) stop() {
	l.quit.Store(true)
	l.wake.Ring()
	l.done.Wait()
}

// durable takes the news from the flusher.
func (l *groupLoop) durable(s *groupShard, id uint64, err error) {
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
func (l *groupLoop) expect(s *groupShard, at time.Time) {
	l.mu.Lock()
	l.deadlines[s] = at
	sooner := !at.IsZero() && (l.timerAt.IsZero() || at.Before(l.timerAt))
	l.mu.Unlock()
	if sooner {
		l.wake.Ring()
	}
}

func (l *groupLoop) run() {
	defer l.done.Set()
	for !l.quit.Load() {
		l.mu.Lock()
		var news map[*groupShard]durables
		if len(l.durables) > 0 {
			news, l.durables = l.durables, make(map[*groupShard]durables)
		}
		now := l.groups.opt.Now()
		var due []*groupShard
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
		next := l.timerAt
		l.mu.Unlock()

		// What the machines write is written in the same order each time.
		for _, s := range slices.SortedFunc(maps.Keys(news), byPartition) {
			d := news[s]
			if d.upTo > 0 {
				s.step(group.Durable{ID: d.upTo})
			}
			if d.err != nil {
				s.step(group.Durable{Err: d.err})
			}
		}
		slices.SortFunc(due, byPartition)
		for _, s := range due {
			s.step(group.Tick{})
		}
		if len(news) > 0 || len(due) > 0 {
			continue // they may have set other deadlines
		}
		if next.IsZero() {
			l.wake.Wait(-1)
		} else {
			l.wake.Wait(max(next.Sub(now), 0))
		}
	}
}

func byPartition(a, b *groupShard) int { return cmp.Compare(a.partition, b.partition) }
