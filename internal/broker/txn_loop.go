package broker

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat/internal/coord/txn"
	"github.com/leatdev/leat/internal/sched"
)

// txnLoop is the one goroutine behind the machines of transactions: it brings them the
// time and what became durable. The flusher must not wait for a machine's lock.
type txnLoop struct {
	txns *Txns
	wake *sched.Bell
	quit atomic.Bool
	done sched.Event

	mu        sched.Mutex
	deadlines map[*txnShard]time.Time
	timerAt   time.Time // when the loop wakes by itself; zero: never
	durables  map[*txnShard]durables
}

func (l *txnLoop) start(t *Txns) {
	l.txns, l.wake, l.done = t, sched.NewBell(), sched.NewEvent()
	l.deadlines, l.durables = map[*txnShard]time.Time{}, map[*txnShard]durables{}
	sched.Go(l.run)
}

func (l *txnLoop) stop() {
	l.quit.Store(true)
	l.wake.Ring()
	l.done.Wait()
}

// durable takes the news from the flusher.
func (l *txnLoop) durable(s *txnShard, id uint64, err error) {
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
func (l *txnLoop) expect(s *txnShard, at time.Time) {
	l.mu.Lock()
	l.deadlines[s] = at
	sooner := !at.IsZero() && (l.timerAt.IsZero() || at.Before(l.timerAt))
	l.mu.Unlock()
	if sooner {
		l.wake.Ring()
	}
}

func (l *txnLoop) run() {
	defer l.done.Set()
	for !l.quit.Load() {
		now := l.txns.opt.Now()
		news, due, next := l.take(now)
		for _, s := range slices.SortedFunc(maps.Keys(news), byTxnPartition) {
			if d := news[s]; d.upTo > 0 {
				s.step(txn.Durable{ID: d.upTo})
			}
			if d := news[s]; d.err != nil {
				s.step(txn.Durable{Err: d.err})
			}
		}
		for _, s := range due {
			s.step(txn.Tick{})
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
func (l *txnLoop) take(now time.Time) (news map[*txnShard]durables, due []*txnShard, next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.durables) > 0 {
		news, l.durables = l.durables, map[*txnShard]durables{}
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
	slices.SortFunc(due, byTxnPartition)
	return news, due, l.timerAt
}

func byTxnPartition(a, b *txnShard) int { return cmp.Compare(a.partition, b.partition) }
