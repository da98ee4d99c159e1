package doctor

import (
	"path"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
)

// bed is a broker with a topic t of two partitions, and one transactional producer.
type bed struct {
	*broker.Broker
	t   *testing.T
	mem *vfs.Mem
	// producer and epoch are the transactional id's.
	producer int64
	epoch    int16
}

func (b *bed) open() {
	b.t.Helper()
	br, err := broker.Open(broker.Config{FS: b.mem, Dir: "/data", Static: map[string]string{
		"transaction.state.log.num.partitions": "1", "offsets.topic.num.partitions": "1",
	}})
	if err == nil {
		err = br.EnsureTopic(b.t.Context(), "t", 2, nil)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.Broker = br
}

func (b *bed) close() {
	b.t.Helper()
	if err := b.Close(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) write(partition int32, seq int32) {
	b.t.Helper()
	raw := kafka.Build(kafka.BatchSpec{Transactional: true, Producer: &kafka.ProducerSpec{ID: b.producer, Epoch: b.epoch, Sequence: seq}},
		[]kafka.Record{{Timestamp: b.Now().UnixMilli(), Value: []byte("v")}})
	got, err := b.ProduceFrom(b.t.Context(), b.Partition("t", partition), raw, broker.TxnProducer{ID: "tx", Implicit: true}, false)
	if err != nil || b.Store.Wait(b.t.Context(), got.Pos) != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) end(commit bool) {
	b.t.Helper()
	req := kmsg.NewPtrEndTxnRequest()
	req.Version, req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = 5, "tx", b.producer, b.epoch, commit
	a := answer(b.Txns.End, req)
	if a.Code != 0 {
		b.t.Fatalf("%+v", a)
	}
	b.producer, b.epoch = a.ProducerID, a.Epoch
}

// damage spoils the batch at an offset of a log, in its segment.
func (b *bed) damage(topic string, offset int64) {
	b.t.Helper()
	topics, err := b.mem.List("/data/logs")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, dir := range topics {
		if !strings.HasPrefix(dir, topic+".") {
			continue
		}
		name := path.Join("/data/logs", dir, "0", strings.Repeat("0", 20)+".log")
		raw, err := vfs.ReadFile(b.mem, name)
		if err != nil {
			b.t.Fatal(err)
		}
		for rest := raw; len(rest) > 0; {
			batch, after, err := kafka.NextBatch(rest)
			if err != nil {
				b.t.Fatal(err)
			}
			if batch.BaseOffset() == offset {
				f, err := b.mem.Open(name)
				if err != nil {
					b.t.Fatal(err)
				}
				if _, err := f.WriteAt([]byte{0xff, 0xff, 0xff, 0xff}, int64(len(raw)-len(rest))+62); err != nil || f.Sync() != nil {
					b.t.Fatal(err)
				}
				f.Close()
				return
			}
			rest = after
		}
	}
	b.t.Fatalf("offset %d of %s is nowhere in %q", offset, topic, topics)
}

// A repair that loses the end of a transaction ends it as it was decided, or aborts it
// when that is not known any more; it leaves open what is not decided yet, and what
// nobody can know. What its producer does next is not mixed up with it.
func TestRepairEndsTransactions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		before  func(*bed) // t-0 has a transaction's data at offset 0
		damaged int64      // offset in t-0
		state   bool       // the transactions' own log is damaged, and not repaired
		left    bool
		open    bool
		aborted int
	}{
		{name: "was committed", before: func(b *bed) { b.end(true) }, damaged: 1},
		{name: "was aborted", before: func(b *bed) { b.end(false) }, damaged: 1, aborted: 1},
		{name: "committed, and another one since", before: func(b *bed) { b.end(true); b.write(1, 0); b.end(true) }, damaged: 1, aborted: 1},
		{name: "and another one is open elsewhere", before: func(b *bed) { b.end(true); b.write(1, 0) }, damaged: 1, aborted: 1},
		{name: "not decided", before: func(b *bed) { b.write(0, 1) }, damaged: 1, open: true},
		{name: "nobody knows", before: func(b *bed) { b.end(true) }, damaged: 1, state: true, left: true, open: true},
	} {
		b := &bed{t: t, mem: vfs.NewMem()}
		b.open()
		id := "tx"
		req := kmsg.NewPtrInitProducerIDRequest()
		req.Version, req.TransactionalID, req.TransactionTimeoutMillis = 5, &id, 600_000
		a := answer(b.Txns.Init, req)
		b.producer, b.epoch = a.ProducerID, a.Epoch
		b.write(0, 0)
		c.before(b)
		b.close()
		b.damage("t", c.damaged)
		if c.state {
			b.damage(broker.TransactionsTopic, 0)
		}
		done, err := Repair(t.Context(), b.mem, "/data", plog.RepairKeep, func(topic string, partition int32) bool { return topic == "t" })
		if err != nil || len(done) != 1 || done[0].Error != "" || (done[0].Left != "") != c.left {
			t.Fatalf("%s: %+v, %v", c.name, done, err)
		}
		b.open()
		l := b.Partition("t", 0).Log
		if open := l.LastStable() < l.HighWatermark(); open != c.open {
			t.Errorf("%s: stable %d of %d", c.name, l.LastStable(), l.HighWatermark())
		}
		if a, err := l.Aborted(0, 9); err != nil || len(a) != c.aborted {
			t.Errorf("%s: %v, %v", c.name, a, err)
		}
		if c.state {
			b.Abandon()
			continue
		}
		// The producer goes on, and its next decision is about what it does next.
		before := len(must(l.Aborted(0, 99))(t))
		b.write(0, map[bool]int32{true: 1}[c.open])
		b.end(false)
		after := must(l.Aborted(0, 99))(t)
		if len(after) != before+1 || !c.open && after[before].First < 2 || l.LastStable() != l.HighWatermark() {
			t.Errorf("%s: then %+v, stable %d of %d", c.name, after, l.LastStable(), l.HighWatermark())
		}
		b.close()
	}
}

func answer[Q, A any](ask func(Q, func(A)), q Q) A {
	got := make(chan A, 1)
	ask(q, func(a A) { got <- a })
	return <-got
}

func must[A any](a A, err error) func(*testing.T) A {
	return func(t *testing.T) A {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
}
