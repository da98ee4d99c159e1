package wire

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
)

// readCommitted reads values of a topic's partition 0 as a read_committed consumer,
// until `upTo` is its position.
func readCommitted(t *testing.T, b *groupBench, topic string, upTo int64) (values []string) {
	t.Helper()
	cl := b.franz(t, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(time.Second),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	defer cl.Close()
	for at := int64(0); at < upTo; {
		fs := cl.PollFetches(t.Context())
		if err := fs.Err0(); err != nil {
			t.Fatal(err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			at = r.Offset + 1
			if !r.Attrs.IsControl() {
				values = append(values, string(r.Value))
			}
		})
	}
	return values
}

// Both transaction versions: franz-go takes the second where the broker has finalized
// it, unless it is held to what older brokers speak.
func eachTxnVersion(t *testing.T, f func(t *testing.T, opts ...kgo.Opt)) {
	t.Run("v2", func(t *testing.T) { t.Parallel(); f(t) })
	t.Run("v1", func(t *testing.T) { t.Parallel(); f(t, kgo.MaxVersions(kversion.V3_8_0())) })
}

func TestTransactionalProducer(t *testing.T) {
	t.Parallel()
	eachTxnVersion(t, func(t *testing.T, opts ...kgo.Opt) {
		b := newGroupBench(t)
		b.makeTopic(t, "a", 1)
		b.makeTopic(t, "b", 1)
		cl := b.franz(t, append(opts, kgo.TransactionalID("tx"))...)
		write := func(commit kgo.TransactionEndTry, values ...string) {
			t.Helper()
			if err := cl.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				for _, topic := range []string{"a", "b"} {
					if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(v)}).FirstErr(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := cl.EndTransaction(t.Context(), commit); err != nil {
				t.Fatal(err)
			}
		}
		var want []string
		for i := range 5 {
			write(kgo.TryCommit, fmt.Sprint("c", i), fmt.Sprint("d", i))
			write(kgo.TryAbort, fmt.Sprint("x", i))
			want = append(want, fmt.Sprint("c", i), fmt.Sprint("d", i))
		}
		write(kgo.TryCommit, "end")
		want = append(want, "end")
		for _, topic := range []string{"a", "b"} {
			log := b.broker.Partition(topic, 0).Log
			if log.LastStable() != log.HighWatermark() || log.End() != 27 {
				t.Errorf("%s: stable %d, high watermark %d, end %d", topic, log.LastStable(), log.HighWatermark(), log.End())
			}
			if got := readCommitted(t, b, topic, 27); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v, want %v", topic, got, want)
			}
		}
	})
}

// A reader that waits behind an open transaction is woken by its end.
func TestReaderWaitsForTheTransaction(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	b.makeTopic(t, "a", 1)
	cl := b.franz(t, kgo.TransactionalID("tx"))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "a", Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	adm := kadm.NewClient(b.franz(t))
	latest, err := adm.ListEndOffsets(t.Context(), "a")
	if o, _ := latest.Lookup("a", 0); err != nil || o.Offset != 1 {
		t.Fatalf("%v %v", latest, err)
	}
	committed, err := adm.ListCommittedOffsets(t.Context(), "a")
	if o, _ := committed.Lookup("a", 0); err != nil || o.Offset != 0 {
		t.Fatalf("%v %v", committed, err)
	}
	read := make(chan []string)
	go func() { read <- readCommitted(t, b, "a", 1) }()
	if err := cl.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if got := <-read; !reflect.DeepEqual(got, []string{"v"}) {
		t.Errorf("%v", got)
	}
}

// A new producer of the transactional id fences the old one for good, and what that one
// had open is aborted.
func TestZombieIsFenced(t *testing.T) {
	t.Parallel()
	eachTxnVersion(t, func(t *testing.T, opts ...kgo.Opt) {
		b := newGroupBench(t)
		b.makeTopic(t, "a", 1)
		old := b.franz(t, append(opts, kgo.TransactionalID("tx"))...)
		fresh := b.franz(t, append(opts, kgo.TransactionalID("tx"))...)
		begin := func(cl *kgo.Client, v string) error {
			if err := cl.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			return cl.ProduceSync(t.Context(), &kgo.Record{Topic: "a", Value: []byte(v)}).FirstErr()
		}
		if err := begin(old, "zombie"); err != nil {
			t.Fatal(err)
		}
		if err := begin(fresh, "fresh"); err != nil {
			t.Fatal(err)
		}
		if err := fresh.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
		if err := old.EndTransaction(t.Context(), kgo.TryCommit); err == nil {
			t.Error("the zombie has committed")
		}
		if got := readCommitted(t, b, "a", b.broker.Partition("a", 0).Log.LastStable()); !reflect.DeepEqual(got, []string{"fresh"}) {
			t.Errorf("%v", got)
		}
	})
}

// From topic to topic exactly once, with the offsets in the transaction, over kills of
// the broker: each record comes out once.
func TestGroupTransactSession(t *testing.T) {
	t.Parallel()
	eachTxnVersion(t, func(t *testing.T, opts ...kgo.Opt) {
		b := newGroupBench(t)
		b.makeTopic(t, "in", 3)
		b.makeTopic(t, "out", 1)
		const n = 300
		in := b.franz(t)
		produce(t, in, "in", 0, n)
		s, err := kgo.NewGroupTransactSession(append(opts,
			kgo.SeedBrokers(memoryAddr), b.dialer(), kgo.RetryBackoffFn(func(int) time.Duration { return 5 * time.Millisecond }),
			kgo.MetadataMinAge(10*time.Millisecond), kgo.TransactionalID("etl"), kgo.ConsumerGroup("etl"), kgo.ConsumeTopics("in"),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.DefaultProduceTopic("out"), kgo.FetchMaxBytes(600), kgo.FetchMaxPartitionBytes(200),
		)...)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for done, round := 0, 0; done < n; round++ {
			ctx, cancel := context.WithCancel(t.Context())
			fs := s.PollFetches(ctx)
			cancel()
			if err := s.Begin(); err != nil {
				t.Fatal(err)
			}
			fs.EachRecord(func(r *kgo.Record) { s.Produce(t.Context(), kgo.KeySliceRecord(r.Key, r.Value), nil) })
			if round == 3 {
				b.kill(t)
			}
			ok, err := s.End(t.Context(), kgo.TransactionEndTry(round%4 != 1))
			if err != nil && round < 3 {
				t.Fatal(round, err)
			}
			if ok {
				done += fs.NumRecords()
			}
		}
		log := b.broker.Partition("out", 0).Log
		got := readCommitted(t, b, "out", log.LastStable())
		count := map[string]int{}
		for _, v := range got {
			count[v]++
		}
		if len(got) != n || len(count) != n {
			t.Errorf("%d records, %d different ones, of %d", len(got), len(count), n)
		}
		offsets, err := kadm.NewClient(in).FetchOffsets(t.Context(), "etl")
		if err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		offsets.Each(func(o kadm.OffsetResponse) { sum += o.At })
		if sum != n {
			t.Errorf("the group's offsets add up to %d of %d: %v", sum, n, offsets)
		}
	})
}

func (b *groupBench) makeTopic(t *testing.T, name string, partitions int32) {
	t.Helper()
	if err := b.broker.EnsureTopic(t.Context(), name, partitions, nil); err != nil {
		t.Fatal(err)
	}
}
