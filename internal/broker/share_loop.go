package broker

import (
	"context"
	"time"

	"github.com/leatdev/leat/internal/sched"
)

// pruneEvery is how often the logs of the state are looked at for what can go.
const pruneEvery = time.Minute

// shareLoop is the goroutine that brings the machines the time, and keeps their logs
// short.
type shareLoop struct {
	shares *Shares
	wake   *sched.Bell
	ctx    context.Context
	cancel context.CancelFunc
	work   sched.WaitGroup

	mu        sched.Mutex
	deadlines map[*sharePart]time.Time
	timerAt   time.Time // when the loop wakes by itself; zero: never
	pruneAt   time.Time
	quit      bool
}

func (l *shareLoop) start(s *Shares) {
	l.shares, l.wake, l.deadlines = s, sched.NewBell(), map[*sharePart]time.Time{}
	l.ctx, l.cancel = sched.WithCancel(context.Background())
	l.pruneAt = s.b.Now().Add(pruneEvery)
	l.work.Add(1)
	sched.Go(func() {
		defer l.work.Done()
		l.run()
	})
}

func (l *shareLoop) stop() {
	l.mu.Lock()
	l.quit = true
	l.mu.Unlock()
	l.cancel()
	l.wake.Ring()
	l.work.Wait()
}

// load has the shards read their logs in the background: locks that are kept end, and
// the lag of groups is told, before anybody asks for them.
func (l *shareLoop) load(shards []*shareShard) {
	l.work.Add(1)
	sched.Go(func() {
		defer l.work.Done()
		for _, s := range shards {
			if l.ctx.Err() != nil {
				return
			}
			s.ready()
		}
	})
}

// expect sets when a share-partition has to be told the time; zero: never.
func (l *shareLoop) expect(sp *sharePart, at time.Time) {
	l.mu.Lock()
	sooner := false
	if at.IsZero() {
		delete(l.deadlines, sp)
	} else {
		l.deadlines[sp] = at
		sooner = l.timerAt.IsZero() || at.Before(l.timerAt)
	}
	l.mu.Unlock()
	if sooner {
		l.wake.Ring()
	}
}

func (l *shareLoop) run() {
	strays := map[string]bool{} // groups that did not exist the last time
	for {
		l.mu.Lock()
		if l.quit {
			l.mu.Unlock()
			return
		}
		now := l.shares.b.Now()
		var due []*sharePart
		l.timerAt = l.pruneAt
		for sp, at := range l.deadlines {
			if !now.Before(at) {
				due = append(due, sp)
				delete(l.deadlines, sp)
			} else if at.Before(l.timerAt) {
				l.timerAt = at
			}
		}
		prune := !now.Before(l.pruneAt)
		if prune {
			l.pruneAt = now.Add(pruneEvery)
		}
		next := l.timerAt
		l.mu.Unlock()

		sortShareParts(due)
		for _, sp := range due {
			sp.tick()
		}
		if prune {
			strays = l.shares.sweep(strays)
			l.prune()
		}
		if len(due) > 0 || prune {
			continue // they may have set other deadlines
		}
		l.wake.Wait(max(next.Sub(now), 0))
	}
}

func (l *shareLoop) prune() {
	shards := l.shares.shards.Load()
	if shards == nil {
		return
	}
	for _, s := range *shards {
		s.prune()
	}
}
