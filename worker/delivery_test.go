package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// cable is a network connection that can be cut: a worker whose cable is cut is as
// good as killed, nothing of it reaches the cluster any more.
type cable struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	cut  atomic.Bool
	mu   sync.Mutex
	all  []interface{ Close() error }
}

func (c *cable) opt() kgo.Opt {
	return kgo.Dialer(func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
		if c.cut.Load() {
			return nil, errors.New("network is unreachable")
		}
		conn, err = c.dial(ctx, network, addr)
		if err == nil {
			c.mu.Lock()
			c.all = append(c.all, conn)
			c.mu.Unlock()
		}
		return conn, err
	})
}

func (c *cable) pull() {
	c.cut.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.all {
		conn.Close()
	}
}

// A worker that is killed while records are in flight: the next one loses nothing,
// and only what was in flight comes out twice, at most MaxInFlight per partition.
func TestKillRepeatsOnlyWhatWasInFlight(t *testing.T) {
	inBubble(t, 2, []string{"in", "out"}, func(t *testing.T, b *bench) {
		const n, bound = 1000, 64
		b.put(numbered("in", n, 30, 2)...)
		line := &cable{dial: b.cluster.Dial}
		var mu sync.Mutex
		handled := map[string]int{}
		slow := func(_ context.Context, ms []*Message) ([]Outcome, error) {
			mu.Lock()
			for _, m := range ms {
				handled[string(m.Value)]++
			}
			mu.Unlock()
			<-time.After(time.Duration(5+ms[0].Offset%7) * time.Millisecond)
			return echo(ms), nil
		}
		cfg := Config{Concurrency: 6, Batch: Batch{Max: 8}, MaxInFlight: bound, Handler: HandlerFunc(slow)}
		first := cfg
		first.ClientOpts = []kgo.Opt{line.opt()}
		first.DrainTimeout = time.Second
		killed := b.start(first)
		b.until("it works", func() bool { return b.committed("g") > 200 })
		b.until("records are in flight", func() bool { return killed.Status().Calls > 0 })
		line.pull()
		mu.Lock()
		before := len(handled)
		mu.Unlock()
		committed := b.committed("g")
		if before <= committed {
			t.Fatalf("%d handled, %d committed: nothing was in flight, the test does not test", before, committed)
		}
		killed.cancel()

		next := b.start(cfg)
		b.until("everything is committed", func() bool { return b.committed("g") == n })
		if err := next.stopped(); err != nil {
			t.Fatal(err)
		}
		out := map[string]int{}
		repeats := 0
		for _, r := range b.all("out") {
			out[string(r.Value)]++
			if out[string(r.Value)] > 1 {
				repeats++
			}
		}
		if len(out) != n {
			t.Errorf("%d records lost", n-len(out))
		}
		twice := 0
		mu.Lock()
		defer mu.Unlock()
		for _, k := range handled {
			if k > 1 {
				twice++
			}
		}
		if twice == 0 {
			t.Error("nothing was handled twice although it was in flight at the kill")
		}
		if twice > 2*bound || repeats > 2*bound {
			t.Errorf("%d handled twice, %d came out twice; the bound is %d", twice, repeats, 2*bound)
		}
	})
}

// MaxInFlight is kept exactly, also while one held record keeps the commit back.
func TestInFlightIsBounded(t *testing.T) {
	inBubble(t, 1, []string{"in", "out"}, func(t *testing.T, b *bench) {
		const n, bound = 500, 40
		b.put(numbered("in", n, n, 1)...)
		var mu sync.Mutex
		var first *Message
		seen := 0
		r := b.start(Config{MaxInFlight: bound, Batch: Batch{Max: 5}, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
			mu.Lock()
			defer mu.Unlock()
			seen += len(ms)
			out := echo(ms)
			if first == nil {
				first, out[0] = ms[0], Held()
			}
			return out, nil
		})})
		b.until("it is full", func() bool { s := r.Status(); return len(s.Partitions) == 1 && s.Partitions[0].Full })
		b.cluster.Pass(time.Minute)
		s := r.Status().Partitions[0]
		mu.Lock()
		if seen > bound || s.InFlight > bound || s.Committed != 0 || s.Held != 1 {
			t.Errorf("%d handled, status %+v; the bound is %d", seen, s, bound)
		}
		mu.Unlock()
		first.Settle(Done(&kgo.Record{Topic: "out", Value: first.Value}))
		b.until("everything is committed", func() bool { return b.committed("g") == n })
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
		if out := b.count("out"); out != n {
			t.Errorf("%d came out of %d", out, n)
		}
	})
}

// Two workers share the partitions as they come and go; nothing is lost, and what
// is given up in good order is not repeated.
func TestRebalanceLosesNothing(t *testing.T) {
	inRealTime(t, 6, []string{"in", "out"}, func(t *testing.T, b *bench) {
		const n = 3000
		b.put(numbered("in", n, 60, 6)...)
		var mu sync.Mutex
		by := map[string]map[int32]bool{}
		cfg := func(name string) Config {
			beat := kgo.HeartbeatInterval(50 * time.Millisecond)
			return Config{Concurrency: 4, Batch: Batch{Max: 4}, ClientOpts: []kgo.Opt{beat}, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
				mu.Lock()
				if by[name] == nil {
					by[name] = map[int32]bool{}
				}
				for _, m := range ms {
					by[name][m.Partition] = true
				}
				mu.Unlock()
				<-time.After(10 * time.Millisecond)
				return echo(ms), nil
			})}
		}
		one := b.start(cfg("one"))
		b.until("it works", func() bool { return b.committed("g") > 100 })
		two := b.start(cfg("two"))
		b.until("both have partitions", func() bool {
			return len(two.Status().Partitions) == 3 && len(one.Status().Partitions) == 3
		})
		b.until("both work", func() bool { mu.Lock(); defer mu.Unlock(); return len(by["two"]) == 3 })
		if err := one.stopped(); err != nil {
			t.Fatal(err)
		}
		b.until("the other takes over", func() bool { return len(two.Status().Partitions) == 6 })
		if done := b.committed("g"); done >= n {
			t.Fatal("all was done before the second rebalance: the test does not test")
		}
		b.until("everything is committed", func() bool { return b.committed("g") == n })
		if err := two.stopped(); err != nil {
			t.Fatal(err)
		}
		if out := b.count("out"); out != n {
			t.Errorf("%d came out of %d: lost or repeated in a rebalance in good order", out, n)
		}
	})
}

// Stop finishes what is in a call, commits it, and starts nothing new.
func TestStopDrains(t *testing.T) {
	inBubble(t, 1, []string{"in", "out"}, func(t *testing.T, b *bench) {
		b.put(numbered("in", 100, 100, 1)...)
		called := make(chan struct{}, 100)
		r := b.start(Config{Concurrency: 2, Batch: Batch{Max: 10}, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
			called <- struct{}{}
			<-time.After(3 * time.Second)
			return echo(ms), nil
		})})
		<-called
		<-called
		if err := r.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := r.ended(); err != nil {
			t.Fatal(err)
		}
		if out, done := b.count("out"), b.committed("g"); out != 20 || done != 20 {
			t.Errorf("%d out, %d committed; the two calls had 20", out, done)
		}
		if s := r.Status(); s.State != StateStopped || s.Calls != 0 {
			t.Errorf("%+v", s)
		}
		if n := b.cluster.Members(t, "g"); n != 0 {
			t.Errorf("the worker did not leave its group: %d members", n)
		}
	})
}

// A handler that does not end holds a stop up for the drain time-out and no longer;
// its records are not committed.
func TestDrainIsBounded(t *testing.T) {
	inBubble(t, 1, []string{"in", "out"}, func(t *testing.T, b *bench) {
		b.put(numbered("in", 1, 1, 1)...)
		called := make(chan struct{})
		r := b.start(Config{DrainTimeout: 5 * time.Second, Handler: HandlerFunc(func(ctx context.Context, ms []*Message) ([]Outcome, error) {
			close(called)
			<-ctx.Done()
			return nil, ctx.Err()
		})})
		<-called
		start := time.Now()
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 5*time.Second || took > 20*time.Second {
			t.Errorf("the stop took %v", took)
		}
		if done := b.committed("g"); done != 0 {
			t.Errorf("%d committed", done)
		}
	})
}

// Retention that takes unread records stops the worker, at the start and while it
// reads, with the number per partition; offsets stay as they were.
func TestRetentionLossStops(t *testing.T) {
	ok := HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) { return echo(ms), nil })
	lost := func(t *testing.T, err error) []LostRange {
		t.Helper()
		var re *RetentionError
		if !errors.As(err, &re) {
			t.Fatalf("Run returned %v", err)
		}
		return re.Lost
	}
	t.Run("while stopped", func(t *testing.T) {
		inBubble(t, 2, []string{"in", "out"}, func(t *testing.T, b *bench) {
			b.put(numbered("in", 20, 2, 2)...)
			r := b.start(Config{Handler: ok})
			b.until("all done", func() bool { return b.committed("g") == 20 })
			r.stopped()
			b.put(numbered("in", 20, 2, 2)...)
			b.cluster.DeleteRecords(t, "in", 0, 14)
			b.cluster.DeleteRecords(t, "in", 1, 17)
			err := b.start(Config{Handler: ok}).ended()
			ls := lost(t, err)
			if len(ls) != 2 || ls[0].Records() != 4 || ls[1].Records() != 7 {
				t.Errorf("lost %+v", ls)
			}
			for _, says := range []string{"11 records", "in/0 lost 4", "in/1 lost 7"} {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%q does not say %q", err, says)
				}
			}
			if n := b.committed("g"); n != 20 {
				t.Errorf("the offsets were moved to %d", n)
			}
		})
	})
	for _, blind := range []bool{false, true} {
		t.Run(fmt.Sprintf("while reading, offsets not to be had at first: %v", blind), func(t *testing.T) {
			inBubble(t, 1, []string{"in", "out"}, func(t *testing.T, b *bench) {
				var fake *kfake.Cluster
				if blind {
					fake = b.cluster.Fake(t)
				}
				b.put(numbered("in", 50, 50, 1)...)
				hold := make(chan struct{})
				r := b.start(Config{MaxInFlight: 10, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
					<-hold
					return echo(ms), nil
				})})
				b.until("it is full", func() bool { s := r.Status(); return len(s.Partitions) == 1 && s.Partitions[0].Full })
				// More than the client has fetched ahead is taken away.
				b.put(numbered("in", 20, 20, 1)...)
				b.cluster.DeleteRecords(t, "in", 0, 65)
				if blind {
					fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.RequestTimedOut, Count: 3})
				}
				close(hold)
				ls := lost(t, r.ended())
				if len(ls) != 1 || ls[0].Start != 65 || ls[0].Records() <= 0 {
					t.Errorf("lost %+v", ls)
				}
				if out := b.count("out"); int64(out) != ls[0].Next {
					t.Errorf("%d came out; all before offset %d were to", out, ls[0].Next)
				}
			})
		})
	}
	t.Run("topic made again", func(t *testing.T) {
		inBubble(t, 1, []string{"in", "out"}, func(t *testing.T, b *bench) {
			b.put(numbered("in", 20, 2, 1)...)
			r := b.start(Config{Handler: ok})
			b.until("all done", func() bool { return b.committed("g") == 20 })
			r.stopped()
			// The log's end is now before what was committed.
			beyond := kadm.Offsets{}
			beyond.AddOffset("in", 0, 33, -1)
			if err := b.adm.CommitAllOffsets(t.Context(), "g", beyond); err != nil {
				t.Fatal(err)
			}
			err := b.start(Config{Handler: ok}).ended()
			if ls := lost(t, err); len(ls) != 1 || ls[0].Next != 33 || ls[0].End != 20 {
				t.Errorf("lost %+v", ls)
			}
		})
	})
}

// Where a new group begins, and that it is decided once: what came while the worker
// was away is read after "latest", too, and so is a partition that came later.
func TestStart(t *testing.T) {
	values := func(b *bench) []string {
		var vs []string
		for _, r := range b.all("out") {
			vs = append(vs, string(r.Value))
		}
		slices.Sort(vs)
		return vs
	}
	epoch := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	put := func(b *bench, part int32, vs ...string) {
		for i, v := range vs {
			b.put(&kgo.Record{Topic: "in", Partition: part, Value: []byte(v), Timestamp: epoch.Add(time.Duration(i) * time.Hour)})
		}
	}
	for _, c := range []struct {
		name  string
		start Start
		want  []string
	}{
		{"earliest", Earliest(), []string{"a", "b", "c", "d", "e"}},
		{"latest", Latest(), []string{"d", "e"}},
		{"timestamp", At(epoch.Add(90 * time.Minute)), []string{"c", "d", "e"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 1, []string{"in", "out"}, func(t *testing.T, b *bench) {
				put(b, 0, "a", "b", "c")
				cfg := Config{Start: c.start, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) { return echo(ms), nil })}
				r := b.start(cfg)
				b.until("assigned", func() bool { s := r.Status(); return len(s.Partitions) == 1 && s.Partitions[0].Committed >= 0 })
				b.until("what is to come came", func() bool { return len(values(b)) == len(c.want)-2 })
				if err := r.stopped(); err != nil {
					t.Fatal(err)
				}
				put(b, 0, "d")
				if _, err := b.adm.CreatePartitions(t.Context(), 1, "in"); err != nil {
					t.Fatal(err)
				}
				old := b.cl // does not know of the partition yet
				b.cl = b.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
				put(b, 1, "e")
				b.cl.Close()
				b.cl = old
				again := b.start(cfg)
				b.until("all came", func() bool { return len(values(b)) >= len(c.want) })
				if err := again.stopped(); err != nil {
					t.Fatal(err)
				}
				if got := values(b); !slices.Equal(got, c.want) {
					t.Errorf("read %v, want %v", got, c.want)
				}
			})
		})
	}
}

// A topic that cannot be written to pauses the worker and loses nothing.
func TestResultsThatCannotBeWrittenPause(t *testing.T) {
	inBubble(t, 1, []string{"in"}, func(t *testing.T, b *bench) {
		b.put(numbered("in", 10, 10, 1)...)
		r := b.start(Config{Retry: quick, Concurrency: 2, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) { return echo(ms), nil })})
		b.until("it pauses", func() bool { s := r.Status(); return s.Pause != nil && s.Pause.Reason == PauseProduce })
		if n := b.committed("g"); n != 0 {
			t.Errorf("%d committed with nothing written", n)
		}
		b.cluster.CreateTopic(t, "out", 1)
		b.until("everything is committed", func() bool { return b.committed("g") == 10 })
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
		if out := b.count("out"); out != 10 {
			t.Errorf("%d came out", out)
		}
	})
}

// Commits that are refused because of a rebalance are put off, not fatal.
func TestFencedCommitsAreNotFatal(t *testing.T) {
	inBubble(t, 1, []string{"in", "out"}, func(t *testing.T, b *bench) {
		fake := b.cluster.Fake(t)
		r := b.start(Config{Retry: quick, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) { return echo(ms), nil })})
		b.until("assigned", func() bool { s := r.Status(); return len(s.Partitions) == 1 && s.Partitions[0].Committed == 0 })
		fault := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.RebalanceInProgress, Count: -1})
		b.put(numbered("in", 10, 10, 1)...)
		b.until("they came out", func() bool { return b.count("out") == 10 })
		<-time.After(time.Second)
		if n := b.committed("g"); n != 0 {
			t.Fatalf("%d committed: the fault does not work", n)
		}
		fault.Remove()
		b.until("everything is committed", func() bool { return b.committed("g") == 10 })
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
		if out := b.count("out"); out != 10 {
			t.Errorf("%d came out", out)
		}
	})
}

// A topic that is made after the worker has started is read from its beginning,
// whatever Start says: nothing in it was there before.
func TestTopicThatComesLater(t *testing.T) {
	inBubble(t, 1, []string{"in", "out"}, func(t *testing.T, b *bench) {
		r := b.start(Config{Start: Latest(), Topics: []string{"in", "later"}, Retry: quick, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) { return echo(ms), nil })})
		b.until("assigned", func() bool { s := r.Status(); return len(s.Partitions) == 1 && s.Partitions[0].Committed == 0 })
		b.cluster.CreateTopic(t, "later", 1)
		b.put(numbered("later", 5, 5, 1)...)
		b.until("all came out", func() bool { return b.count("out") == 5 })
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
	})
}
