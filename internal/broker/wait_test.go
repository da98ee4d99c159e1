package broker

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatdev/leat/internal/kafka"
)

// waiters counts who waits for a partition, in the list and in the counter that
// spares others the lock.
func waiters(p *Partition) int {
	p.wait.mu.Lock()
	defer p.wait.mu.Unlock()
	return p.wait.ws.Len() + int(p.wait.n.Load())
}

// A waiter is called once: by a change of any of its partitions, by its time, by
// its context, or by its caller; nothing of it stays behind.
func TestAwaitIsCalledOnce(t *testing.T) {
	t.Parallel()
	for what, wake := range map[string]func(parts []*Partition, cancel, now func()){
		"first partition":  func(parts []*Partition, _, _ func()) { parts[0].wait.wake() },
		"second partition": func(parts []*Partition, _, _ func()) { parts[1].wait.wake() },
		"time":             nil,
		"context":          func(_ []*Partition, cancel, _ func()) { cancel() },
		"caller":           func(_ []*Partition, _, now func()) { now() },
		"all at once": func(parts []*Partition, cancel, now func()) {
			for _, f := range []func(){parts[0].wait.wake, parts[1].wait.wake, cancel, now} {
				go f()
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				parts := []*Partition{{}, {}}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var calls atomic.Int32
				now := Await(ctx, parts, time.Minute, func() { calls.Add(1) })
				synctest.Wait()
				if calls.Load() != 0 {
					t.Fatal("called before anything happened")
				}
				if wake != nil {
					wake(parts, cancel, now)
				} else {
					time.Sleep(time.Minute)
				}
				synctest.Wait()
				for _, p := range parts {
					p.wait.wake()
					if n := waiters(p); n != 0 {
						t.Errorf("%d are left", n)
					}
				}
				cancel()
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if n := calls.Load(); n != 1 {
					t.Errorf("called %d times", n)
				}
			})
		})
	}
}

// Whoever looks at the partitions after Await misses no change: many writers raise
// counters and wake, many readers wait for each value in turn. A wake-up that gets
// lost leaves a reader waiting for ever, since nothing comes after it.
func TestAwaitLosesNoWakeUp(t *testing.T) {
	t.Parallel()
	const last = 2000
	parts := []*Partition{{}, {}}
	values := make([]atomic.Int64, len(parts))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for reader := range 4 {
		all.Go(func() {
			for seen := int64(0); seen < last; {
				woken := make(chan struct{})
				now := Await(ctx, parts, time.Hour, func() { close(woken) })
				if values[reader%2].Load() > seen {
					now()
				}
				<-woken
				if ctx.Err() != nil {
					t.Errorf("reader %d waits for more than %d", reader, seen)
					return
				}
				seen = values[reader%2].Load()
			}
		})
	}
	for i, p := range parts {
		all.Go(func() {
			for range last {
				values[i].Add(1)
				p.wait.wake()
			}
		})
	}
	all.Wait()
	for _, p := range parts {
		if n := waiters(p); n != 0 {
			t.Errorf("%d are left", n)
		}
	}
}

// A topic that is gone wakes who waits for it when it can no longer be found: the
// wake-up by its log comes before.
func TestDroppedTopicWakes(t *testing.T) {
	t.Parallel()
	b := topicsBroker(t, nil)
	topic := mustCreate(t, b, NewTopic{Name: "t", Partitions: 2, ReplicationFactor: -1})
	for i := range int32(2) {
		woken := make(chan *Partition, 1)
		Await(t.Context(), []*Partition{b.Partition("t", i)}, time.Hour, func() { woken <- b.Partition("t", i) })
		if i == 0 {
			b.Partition("t", 0).wait.wake()
			if <-woken == nil {
				t.Error("gone before it was dropped")
			}
			continue
		}
		b.dropTopic(topic.ID)
		select {
		case p := <-woken:
			if p != nil {
				t.Error("woken while it can still be found")
			}
		case <-time.After(10 * time.Second):
			t.Error("nobody was woken")
		}
	}
	b.dropTopic(kafka.NewUUID()) // one that is not there
}
