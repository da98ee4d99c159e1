package worker

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Whatever order records finish in, the tracker never offers an offset past one
// that is not done, and in the end it offers the last.
func TestTrackerCommitsOnlyTheDonePrefix(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var tr tracker
		done := map[int64]bool{}
		var pending []uint64
		offsets := map[uint64]int64{}
		next, committed := int64(0), int64(0)
		for range 300 {
			switch rng.IntN(4) {
			case 0, 1:
				next += int64(1 + rng.IntN(3)) // gaps, as compaction leaves them
				n := tr.add(next, 7, 10)
				offsets[n] = next
				pending = append(pending, n)
			case 2:
				if len(pending) > 0 {
					i := rng.IntN(len(pending))
					tr.finish(pending[i])
					done[offsets[pending[i]]] = true
					pending = append(pending[:i], pending[i+1:]...)
				}
			case 3:
				if at, epoch, ok := tr.commitable(); ok {
					if at <= committed || epoch != 7 {
						t.Fatalf("seed %d: offers %d (epoch %d) after %d", seed, at, epoch, committed)
					}
					for _, n := range pending {
						if offsets[n] < at {
							t.Fatalf("seed %d: offers %d while %d is not done", seed, at, offsets[n])
						}
					}
					tr.committed(at)
					committed = at
				}
			}
			if tr.bytes != int64(10*tr.len()) {
				t.Fatalf("seed %d: %d bytes for %d records", seed, tr.bytes, tr.len())
			}
		}
		for _, n := range pending {
			tr.finish(n)
		}
		if at, _, ok := tr.commitable(); ok {
			tr.committed(at)
			committed = at
		}
		if next > 0 && committed != next+1 || tr.len() != 0 {
			t.Fatalf("seed %d: ends at %d with %d in flight; the last offset is %d", seed, committed, tr.len(), next)
		}
	}
}

func queued(q *queue, part *partition, key string, now time.Time) *Message {
	m := &Message{Record: &kgo.Record{}, part: part}
	if key != "" {
		m.Key = []byte(key)
	}
	q.add(m, now)
	return m
}

// Whatever happens to a queue, messages of one lane are out together only within
// one batch, they leave in order, and takable counts what can leave.
func TestQueueKeepsLanes(t *testing.T) {
	for _, order := range []Order{OrderKey, OrderNone, OrderStrict} {
		for seed := range uint64(100) {
			rng := rand.New(rand.NewPCG(seed, 2))
			now := time.Unix(0, 0)
			q := newQueue(order)
			parts := []*partition{{name: "a/0"}, {name: "a/1"}}
			keys := []string{"", "x", "y", "z"}
			var out [][]*Message
			finishedUpTo := map[*Message]bool{}
			added := 0
			lane := func(m *Message) any {
				if k, shared := q.laneKey(m); shared {
					return k
				}
				return m
			}
			lastDone := map[any]uint64{}
			for step := 0; step < 400 || len(out) > 0 || q.takable > 0 || len(q.delayed.lanes) > 0; step++ {
				now = now.Add(time.Duration(rng.IntN(5)) * time.Millisecond)
				switch op := rng.IntN(6); {
				case op < 2 && step < 400:
					queued(q, parts[rng.IntN(2)], keys[rng.IntN(len(keys))], now)
					added++
				case op < 4:
					batch, _ := q.take(now, 1+rng.IntN(5), time.Duration(rng.IntN(3))*time.Millisecond)
					if batch == nil {
						continue
					}
					for _, other := range out {
						for _, m := range other {
							for _, n := range batch {
								if lane(m) == lane(n) {
									t.Fatalf("%s, seed %d: lane %v is in two batches", order, seed, lane(n))
								}
							}
						}
					}
					for i, m := range batch {
						for _, n := range batch[:i] {
							if lane(m) == lane(n) && (n.seq > m.seq || order == OrderStrict) {
								t.Fatalf("%s, seed %d: lane %v out of order in a batch", order, seed, lane(n))
							}
						}
					}
					out = append(out, batch)
				case len(out) > 0:
					i := rng.IntN(len(out))
					stalled := map[any]bool{}
					for _, m := range out[i] {
						if stalled[lane(m)] || rng.IntN(4) == 0 {
							stalled[lane(m)] = true
							q.putBack(m, now.Add(time.Duration(rng.IntN(10))*time.Millisecond), now)
							continue
						}
						if last, ok := lastDone[lane(m)]; ok && m.seq < last {
							t.Fatalf("%s, seed %d: %d finished after %d", order, seed, m.seq, last)
						}
						lastDone[lane(m)] = m.seq
						finishedUpTo[m] = true
						q.release(m, now)
					}
					out = append(out[:i], out[i+1:]...)
				}
				n := 0
				for _, l := range q.ready.lanes {
					n += q.weight(l)
				}
				if n != q.takable {
					t.Fatalf("%s, seed %d: takable is %d and should be %d", order, seed, q.takable, n)
				}
			}
			if len(finishedUpTo) != added || len(q.lanes) != 0 {
				t.Fatalf("%s, seed %d: %d of %d left the queue, %d lanes remain", order, seed, len(finishedUpTo), added, len(q.lanes))
			}
		}
	}
}

// A batch closes on size, or when its oldest message has waited long enough.
func TestQueueClosesBatches(t *testing.T) {
	q, p, t0 := newQueue(OrderKey), &partition{name: "a/0"}, time.Unix(100, 0)
	queued(q, p, "x", t0)
	if batch, next := q.take(t0, 3, time.Second); batch != nil || !next.Equal(t0.Add(time.Second)) {
		t.Errorf("a lone message: batch of %d, next at %v", len(batch), next)
	}
	queued(q, p, "y", t0)
	queued(q, p, "x", t0)
	queued(q, p, "z", t0)
	batch, _ := q.take(t0, 3, time.Second)
	if len(batch) != 3 {
		t.Fatalf("a full batch has %d", len(batch))
	}
	if batch, next := q.take(t0.Add(time.Second), 3, time.Second); len(batch) != 1 || !next.IsZero() {
		t.Errorf("after the wait: batch of %d, next at %v", len(batch), next)
	}
	m := queued(q, p, "w", t0)
	q.take(t0, 1, 0)
	q.putBack(m, t0.Add(time.Minute), t0)
	if batch, next := q.take(t0.Add(time.Second), 3, 0); batch != nil || !next.Equal(t0.Add(time.Minute)) {
		t.Errorf("a message that backs off: batch of %d, next at %v", len(batch), next)
	}
}

// Probes go round: the record that was asked with least comes first.
func TestProbesGoRound(t *testing.T) {
	q, p, now := newQueue(OrderKey), &partition{name: "a/0"}, time.Unix(100, 0)
	for _, k := range []string{"x", "y", "z"} {
		queued(q, p, k, now)
	}
	var order string
	for range 6 {
		m := q.takeProbe()
		order += string(m.Key)
		q.putBack(m, now.Add(time.Hour), now)
	}
	if order != "xyzxyz" {
		t.Errorf("probes went %s", order)
	}
}

// The rule of docs/decisions/worker-failures.md, case by case.
func TestBreakerRule(t *testing.T) {
	bad, t0 := errors.New("status 500"), time.Unix(1000, 0)
	fresh := func() *breaker { return &breaker{retry: Retry{Attempts: 3, Min: time.Second, Max: time.Minute}} }
	m := func() *Message { return &Message{Record: &kgo.Record{}} }
	expect := func(t *testing.T, b *breaker, m *Message, now time.Time, want verdict, open bool) {
		t.Helper()
		if got := b.failAlone(m, bad, false, now); got != want || b.open != open {
			t.Fatalf("verdict %d, open %v; want %d, %v", got, b.open, want, open)
		}
	}
	t.Run("others passed since: guilty", func(t *testing.T) {
		b, x := fresh(), m()
		expect(t, b, x, t0, tryAgain, false)
		b.pass(nil)
		expect(t, b, x, t0, tryAgain, false)
		expect(t, b, x, t0, deadLetter, false)
	})
	t.Run("two fail and nobody passes: outage, no attempts used", func(t *testing.T) {
		b, x, y := fresh(), m(), m()
		b.pass(nil)
		expect(t, b, x, t0, tryAgain, false)
		expect(t, b, y, t0, waitOut, true)
		for range 50 {
			expect(t, b, x, t0, waitOut, true)
			expect(t, b, y, t0, waitOut, true)
		}
		if x.attempts != 1 || y.attempts != 0 {
			t.Errorf("attempts used: %d, %d", x.attempts, y.attempts)
		}
		b.pass(nil)
		if b.open {
			t.Error("a success does not close it")
		}
	})
	t.Run("alone: outage until the witness is asked", func(t *testing.T) {
		b, x, w := fresh(), m(), m()
		b.pass(w)
		expect(t, b, x, t0, tryAgain, false)
		expect(t, b, x, t0, tryAgain, false)
		expect(t, b, x, t0, waitOut, true)
		x.probes = 1
		if b.askWitness(x) {
			t.Error("the witness is asked before the record was tried often enough")
		}
		x.probes = 2
		if !b.askWitness(x) || b.askWitness(x) || !b.askWitness(x) {
			t.Error("the witness and the record are not asked in turn")
		}
		b.pass(nil)
		expect(t, b, x, t0, deadLetter, false)
	})
	t.Run("no witness, or another kind of pause: none is asked", func(t *testing.T) {
		b, x := fresh(), m()
		x.probes = 50
		b.failAlone(x, bad, false, t0)
		b.failAlone(m(), bad, false, t0)
		if !b.open || b.askWitness(x) {
			t.Error("asked without a witness")
		}
		b = fresh()
		b.pass(m())
		b.outage(bad, t0)
		if b.askWitness(x) {
			t.Error("asked in an outage that is none of the records' doing")
		}
	})
	t.Run("failed together, others of the batch passed: guilty", func(t *testing.T) {
		b, x, y := fresh(), m(), m()
		b.failTogether([]*Message{x, y, m()}, t0)
		b.pass(nil)
		for range 2 {
			expect(t, b, x, t0, tryAgain, false)
			expect(t, b, y, t0, tryAgain, false)
		}
		expect(t, b, x, t0, deadLetter, false)
		expect(t, b, y, t0, deadLetter, false)
	})
	t.Run("strict: never given up", func(t *testing.T) {
		b, x := fresh(), m()
		b.pass(nil)
		for range 50 {
			if v := b.failAlone(x, bad, true, t0); v != tryAgain || b.open {
				t.Fatalf("verdict %d, open %v", v, b.open)
			}
		}
	})
	t.Run("probes back off, and only probes", func(t *testing.T) {
		b := fresh()
		b.outage(bad, t0)
		first := b.next
		b.outage(bad, t0) // a straggler
		if b.next != first || first.Sub(t0) > time.Second || first.Sub(t0) < 800*time.Millisecond {
			t.Errorf("next probe after %v, then %v", first.Sub(t0), b.next.Sub(t0))
		}
		b.probing = true
		for range 20 {
			b.outage(bad, t0)
		}
		if wait := b.next.Sub(t0); wait < 48*time.Second || wait > time.Minute {
			t.Errorf("after 20 probes the wait is %v", wait)
		}
		b.askedToWait(bad, time.Hour, t0)
		if b.next.Sub(t0) < time.Hour {
			t.Error("RetryAfter of a probe is not honoured")
		}
	})
}
