package worker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"
)

// With fewer partitions than calls, calls of different keys overlap, those of one
// key never do, and what comes out is in each key's order, also when calls take
// different times and some fail at first.
func TestKeyOrderHoldsWhileKeysRunInParallel(t *testing.T) {
	inBubble(t, 2, []string{"in", "out"}, func(t *testing.T, b *bench) {
		const n, keys = 2000, 40
		b.put(numbered("in", n, keys, 2)...)
		var mu sync.Mutex
		busy := map[string]int{}
		most, failed := 0, map[string]bool{}
		r := b.start(Config{
			Concurrency: 8, Batch: Batch{Max: 4}, Retry: Retry{Min: time.Millisecond, Max: 50 * time.Millisecond},
			Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
				mu.Lock()
				mine := map[string]bool{}
				for _, m := range ms {
					mine[string(m.Key)] = true
				}
				for k := range mine {
					busy[k]++
					if busy[k] > 1 {
						t.Errorf("two calls hold key %s at once", k)
					}
				}
				calls := 0
				for _, c := range busy {
					calls += c
				}
				most = max(most, calls)
				mu.Unlock()
				<-time.After(time.Duration(rand.IntN(20)) * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				for k := range mine {
					busy[k]--
				}
				out := echo(ms)
				for i, m := range ms {
					if rand.IntN(10) == 0 && !failed[string(m.Value)] {
						failed[string(m.Value)] = true
						out[i] = Failed(NewError(Retriable, fmt.Errorf("not now")))
					}
				}
				return out, nil
			}),
		})
		b.until("everything is committed", func() bool { return b.committed("g") == n })
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
		if most < 6 {
			t.Errorf("at most %d keys were in calls at once: nothing ran in parallel", most)
		}
		if len(failed) < 50 {
			t.Errorf("only %d records failed at first: the test does not test", len(failed))
		}
		last, seen := map[string]int{}, 0
		for _, rec := range b.all("out") {
			seen++
			v, _ := strconv.Atoi(string(rec.Value))
			if prev, ok := last[string(rec.Key)]; ok && v <= prev {
				t.Errorf("key %s: %d came out after %d", rec.Key, v, prev)
			}
			last[string(rec.Key)] = v
		}
		if seen != n {
			t.Errorf("%d records came out of %d", seen, n)
		}
	})
}

// Results keep the partition number of their input, whatever put it there.
func TestResultsStayInThePartitionOfTheirInput(t *testing.T) {
	inBubble(t, 4, []string{"in", "out"}, func(t *testing.T, b *bench) {
		rs := numbered("in", 40, 40, 4)
		for i, r := range rs {
			if i%2 == 0 {
				r.Key = nil
			}
		}
		b.put(rs...)
		r := b.start(Config{Concurrency: 2, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
			return echo(ms), nil
		})})
		b.until("everything is committed", func() bool { return b.committed("g") == 40 })
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
		for _, rec := range b.all("out") {
			v, _ := strconv.Atoi(string(rec.Value))
			if int(rec.Partition) != v%4 {
				t.Errorf("record %d of partition %d came out in partition %d", v, v%4, rec.Partition)
			}
		}
	})
}

// OrderStrict: a failing record holds up its partition, visibly, and no other; it
// is tried again until it passes, well beyond the attempts, and nothing overtakes.
func TestStrictOrderBlocksThePartition(t *testing.T) {
	inBubble(t, 2, []string{"in", "out", "dlq"}, func(t *testing.T, b *bench) {
		b.put(numbered("in", 20, 2, 2)...)
		var mu sync.Mutex
		healed, tries := false, 0
		r := b.start(Config{
			Order: OrderStrict, Concurrency: 4, Batch: Batch{Max: 8}, DeadLetter: DeadLetter{Topic: "dlq"},
			Retry: Retry{Attempts: 3, Min: 10 * time.Millisecond, Max: 100 * time.Millisecond},
			Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
				mu.Lock()
				defer mu.Unlock()
				out := echo(ms)
				parts := map[int32]bool{}
				for i, m := range ms {
					if parts[m.Partition] {
						t.Errorf("two records of partition %d in one call", m.Partition)
					}
					parts[m.Partition] = true
					if string(m.Value) == "4" && !healed {
						tries++
						out[i] = Failed(NewError(Poison, fmt.Errorf("bad record")))
					}
				}
				return out, nil
			}),
		})
		b.until("partition 1 is through", func() bool { return b.committed("g") >= 10+2 })
		b.until("many tries", func() bool { mu.Lock(); defer mu.Unlock(); return tries > 10 })
		s := r.Status()
		if s.State != StatePaused || s.Pause == nil || s.Pause.Reason != PauseBlocked {
			t.Errorf("the block is not visible: %+v", s)
		}
		if n := b.count("out"); n != 12 {
			t.Errorf("%d records came out; 10 of the other partition and 2 before the block were to", n)
		}
		mu.Lock()
		healed = true
		mu.Unlock()
		b.until("all through", func() bool { return b.committed("g") == 20 })
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
		last := map[int32]int{0: -1, 1: -1}
		for _, rec := range b.all("out") {
			v, _ := strconv.Atoi(string(rec.Value))
			if v <= last[rec.Partition] {
				t.Errorf("%d overtook %d", last[rec.Partition], v)
			}
			last[rec.Partition] = v
		}
		if n := b.count("dlq"); n != 0 {
			t.Errorf("%d dead letters with strict order", n)
		}
	})
}
