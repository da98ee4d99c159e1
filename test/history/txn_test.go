package history

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/test/kafkaproc"
	"github.com/leatdev/leat/test/leatproc"
	"github.com/leatdev/leat/test/traffic"
)

// transactionWorld is transactional clients at work: some mix what they read and write,
// some move messages on as members of a group, others only look.
type transactionWorld struct {
	world
	a       *kadm.Client
	failed  chan error
	workers sync.WaitGroup
	lookers sync.WaitGroup
	stop    context.CancelFunc
	stopAll context.CancelFunc
}

func startTransactions(t *testing.T, addr string, torn bool) *transactionWorld {
	seed := rand.Uint64()
	t.Logf("seed %d (of what each client does; not of their order)", seed)
	w := &transactionWorld{world: world{addr: addr, rec: newRecorder(), committed: true}, a: traffic.Admin(t, addr), failed: make(chan error, 100)}
	w.rec.torn = torn
	for _, topic := range topics {
		traffic.CreateTopic(t, w.a, topic, partitions, map[string]string{"segment.bytes": "1048576"})
	}
	working, stop := context.WithCancel(t.Context())
	looking, stopAll := context.WithCancel(t.Context())
	w.stop, w.stopAll = stop, stopAll
	t.Cleanup(stop)
	t.Cleanup(stopAll)
	start := func(all *sync.WaitGroup, run func() error) {
		all.Go(func() {
			if err := run(); err != nil {
				w.failed <- err
			}
		})
	}
	for i := range uint64(3) {
		start(&w.workers, func() error { return w.mix(working, fmt.Sprintf("mixer-%d", i), i == 2, seed+i) })
	}
	for i := range uint64(2) {
		start(&w.workers, func() error { return w.move(working, fmt.Sprintf("mover-%d", i), seed+i) })
		start(&w.lookers, func() error { return w.read(looking, fmt.Sprintf("reader-%d", i), seed+i) })
	}
	start(&w.lookers, func() error { return w.stable(looking, "asker") })
	if !torn {
		// Kafka answers the end of a transaction before its offsets are the group's.
		start(&w.lookers, func() error { return w.ask(looking, "group asker") })
	}
	return w
}

// until waits until so many transactions more have ended, and so many of the group's.
func (w *transactionWorld) until(t *testing.T, ended, moved int) {
	t.Helper()
	ended, moved = ended+int(w.ended.Load()), moved+int(w.moved.Load())
	leatproc.Until(t, traffic.Patience, "clients get on", func() error {
		select {
		case err := <-w.failed:
			t.Fatal(err)
		default:
		}
		return errors.Join(leatproc.Atleast(int(w.ended.Load()), ended), leatproc.Atleast(int(w.moved.Load()), moved))
	})
}

// finish has all clients end what they are at, and reads everything.
func (w *transactionWorld) finish(t *testing.T) {
	t.Helper()
	w.stop()
	w.workers.Wait()
	w.stopAll()
	w.lookers.Wait()
	select {
	case err := <-w.failed:
		t.Error(err) // and what the history says of it
	default:
	}
	// All have ended their transactions: nothing keeps readers from the end.
	var ends map[string]int64
	leatproc.Until(t, 20*time.Second, "no transaction is open", func() error {
		var err error
		if ends, err = stableEnds(t.Context(), w.a); err != nil {
			return err
		}
		high := map[string]int64{}
		for _, topic := range topics {
			for p, end := range traffic.Ends(t, w.a, topic) {
				high[keyOf(topic, p)] = end
			}
		}
		if !maps.Equal(ends, high) {
			return fmt.Errorf("last stable offsets %v, high watermarks %v", ends, high)
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), traffic.Patience)
	defer cancel()
	if err := w.readAll(ctx, "last reader", ends); err != nil {
		t.Error(err)
	}
	op := Op{Client: "last reader", Kind: Fetch, Status: OK, Group: group, Start: w.rec.now(), Offsets: map[string]int64{}}
	committed, err := w.a.FetchOffsets(t.Context(), group)
	if err == nil {
		err = committed.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	committed.Each(func(o kadm.OffsetResponse) { op.Offsets[keyOf(o.Topic, o.Partition)] = o.At })
	w.rec.add(op)
}

// judge looks for anomalies, and whether there was enough to look at.
func (w *transactionWorld) judge(t *testing.T) {
	t.Helper()
	report := w.rec.judge(t)
	for _, kind := range []Kind{Send, Poll, Assign, Revoke, Commit, Fetch, Stable, Init, End} {
		if report.Ops[kind] == 0 {
			t.Errorf("nobody came to a %s: this history shows too little", kind)
		}
	}
	i := report.Isolation
	if i == nil || i.Committed < 100 || i.Aborted < 20 || i.Consumed < 40 || i.Edges["wr"] < 500 || i.Edges["ww"] < 500 || i.Edges["up"] < 5 || i.ReadCycles == 0 {
		t.Errorf("this history shows too little: %v", i)
	}
}

// TestTransactionsUnderFaults has transactional clients at work while their broker is
// killed with -9, and looks for what they may never see: cycles among them.
func TestTransactionsUnderFaults(t *testing.T) {
	t.Parallel()
	for name, program := range map[string]string{"defaults": "./cmd/leat", "small bounds": "./test/tuned"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := leatproc.New(t, program, t.TempDir(), "-c", "group.min.session.timeout.ms=1000", "-c", "group.initial.rebalance.delay.ms=0")
			s.Start(t)
			w := startTransactions(t, s.Addr, false)
			rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
			var killed []time.Duration
			for i := range *kills {
				moved := 0
				if i%3 == 0 { // the group settles now and then
					moved = 5
				}
				w.until(t, 10+rng.IntN(150), moved)
				<-time.After(time.Duration(rng.IntN(10_000)) * time.Microsecond) // off the step of the operations
				killed = append(killed, w.rec.now())
				s.Kill()
				s.Start(t)
			}
			w.until(t, 200, 0)
			w.finish(t)
			w.judge(t)
			busy, most, idle := 0, 0, 0
			for _, at := range killed {
				open, waiting := spanning(w.rec.ops, at)
				if open == 0 || waiting == 0 {
					idle++
				}
				busy, most = busy+open, max(most, open)
			}
			t.Logf("%d kills met %d open transactions, at most %d at once; %d met none with a request under way", len(killed), busy, most, idle)
			if idle > len(killed)/4 {
				t.Errorf("%d of %d kills met nobody at work: they show too little", idle, len(killed))
			}
		})
	}
}

// TestTransactionsOnKafka holds Apache Kafka to the same, but for what it does not promise:
// the checks accept what they should.
func TestTransactionsOnKafka(t *testing.T) {
	t.Parallel()
	kafka, err := kafkaproc.Run("group.min.session.timeout.ms=1000")
	if err != nil {
		leatproc.Missing(t, "Apache Kafka", err)
	}
	t.Cleanup(kafka.Remove)
	w := startTransactions(t, kafka.Addr, true)
	w.until(t, 300, 50)
	w.finish(t)
	w.judge(t)
}
