package broker

import (
	"context"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/txn"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
)

// txnBed is a broker with a topic t of two partitions, and requests of transactions.
type txnBed struct {
	*Broker
	t   *testing.T
	mem *vfs.Mem
}

func newTxnBed(t *testing.T, mem *vfs.Mem) *txnBed {
	t.Helper()
	b, err := Open(Config{FS: mem, Dir: "/data", Static: map[string]string{"transaction.state.log.num.partitions": "2", "offsets.topic.num.partitions": "2"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.EnsureTopic(t.Context(), "t", 2, nil); err != nil {
		t.Fatal(err)
	}
	return &txnBed{b, t, mem}
}

// crash is a loss of power, and the start after it.
func (b *txnBed) crash(keep vfs.Keep) *txnBed {
	b.t.Helper()
	mem := b.mem.Crash(keep, 7)
	b.Abandon()
	return newTxnBed(b.t, mem)
}

func (b *txnBed) init(id string) txn.InitAnswer {
	b.t.Helper()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.Version, req.TransactionalID, req.TransactionTimeoutMillis = 5, &id, 60_000
	return wait(b.t, func(done func(txn.InitAnswer)) { b.Txns.Init(req, done) })
}

func (b *txnBed) end(id string, p txn.InitAnswer, commit bool) txn.EndAnswer {
	b.t.Helper()
	req := kmsg.NewPtrEndTxnRequest()
	req.Version, req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = 5, id, p.ProducerID, p.Epoch, commit
	return wait(b.t, func(done func(txn.EndAnswer)) { b.Txns.End(req, done) })
}

func (b *txnBed) produce(id string, p txn.InitAnswer, partition, seq int32) error {
	b.t.Helper()
	raw := kafka.Build(kafka.BatchSpec{Transactional: true, Producer: &kafka.ProducerSpec{ID: p.ProducerID, Epoch: p.Epoch, Sequence: seq}},
		[]kafka.Record{{Timestamp: b.Now().UnixMilli(), Value: []byte("v")}})
	got, err := b.ProduceFrom(b.t.Context(), b.Partition("t", partition), raw, TxnProducer{ID: id, Implicit: true}, false)
	if err != nil {
		return err
	}
	return b.Store.Wait(b.t.Context(), got.Pos)
}

func wait[A any](t *testing.T, ask func(done func(A))) A {
	t.Helper()
	c := make(chan A, 1)
	ask(func(a A) { c <- a })
	select {
	case a := <-c:
		return a
	case <-t.Context().Done():
		panic("no answer")
	}
}

// Whatever a loss of power leaves of what was not synced: a decision that was answered
// is there with all its markers, and one that was not is there whole or not at all.
func TestDecisionAfterPowerCut(t *testing.T) {
	t.Parallel()
	for _, keep := range []vfs.Keep{vfs.KeepNone, vfs.KeepSome, vfs.KeepAll} {
		b := newTxnBed(t, vfs.NewMem())
		p := b.init("tx")
		for partition := range int32(2) {
			if err := b.produce("tx", p, partition, 0); err != nil {
				t.Fatal(err)
			}
		}
		a := b.end("tx", p, true)
		if a.Code != 0 || a.Epoch != p.Epoch+1 {
			t.Fatalf("%+v", a)
		}
		b = b.crash(keep)
		for partition := range int32(2) {
			if l := b.Partition("t", partition).Log; l.LastStable() != 2 || l.HighWatermark() != 2 {
				t.Errorf("keep %v, partition %d: stable %d of %d", keep, partition, l.LastStable(), l.HighWatermark())
			}
		}
		if again := b.end("tx", p, true); again != a {
			t.Errorf("the retry is told %+v, the first was told %+v", again, a)
		}
		b.Abandon()
	}
}

// A partition that cannot be written holds the decision back; a start at which it can be
// completes it, and the transactional id goes on.
func TestPreparedDecisionIsCompleted(t *testing.T) {
	t.Parallel()
	b := newTxnBed(t, vfs.NewMem())
	defer func() { b.Abandon() }()
	p := b.init("tx")
	for partition := range int32(2) {
		if err := b.produce("tx", p, partition, 0); err != nil {
			t.Fatal(err)
		}
	}
	// What a coordinator that prepares first would have left when it was killed.
	s := b.Txns.shardOf(t, "tx")
	v := kmsg.NewTxnMetadataValue()
	v.Version, v.ProducerID, v.ProducerEpoch, v.TimeoutMillis, v.State = 1, p.ProducerID, p.Epoch+1, 60_000, kmsg.TransactionState(txn.PrepareCommit)
	v.ClientTransactionVersion, v.StartTimestamp, v.LastUpdateTimestamp = 2, 1, 1
	v.Topics = []kmsg.TxnMetadataValueTopic{{Topic: "t", Partitions: []int32{0, 1}}}
	k := kmsg.TxnMetadataKey{TransactionalID: "tx"}
	_, pos, err := b.Store.Submit(plog.Append(s.log, kafka.Build(kafka.BatchSpec{}, []kafka.Record{{Key: k.AppendTo(nil), Value: v.AppendTo(nil)}})))
	if err != nil || b.Store.Wait(context.Background(), pos) != nil {
		t.Fatal(err)
	}
	b = b.crash(vfs.KeepNone)
	next := b.init("tx")
	if next.Code != 0 || next.Epoch != p.Epoch+2 {
		t.Fatalf("%+v", next)
	}
	for partition := range int32(2) {
		l := b.Partition("t", partition).Log
		if a, err := l.Aborted(0, 9); l.LastStable() != 2 || len(a) != 0 || err != nil {
			t.Errorf("partition %d: stable %d, %v, %v", partition, l.LastStable(), a, err)
		}
	}
}

func (t *Txns) shardOf(tb testing.TB, id string) *txnShard {
	s, err := t.shard(id)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// A long log is read in the background: transactional ids say so until it is read, and
// have their epochs then.
func TestTransactionsLoadInTheBackground(t *testing.T) {
	t.Parallel()
	b := newTxnBed(t, vfs.NewMem())
	var was []txn.InitAnswer
	for i := range 20 {
		was = append(was, b.init(fmt.Sprint("id", i)))
	}
	defer b.Abandon()
	again := NewTxns(TxnsOptions{
		CoordOptions: CoordOptions{Store: b.Store, Catalog: b.Catalog, CreateTopic: b.EnsureTopic, Logger: b.Log, Now: b.Now, LoadAtOnce: -1},
		Groups:       b.Groups, Epoch: b.Epoch, Partition: b.Partition, NewProducerID: b.NextProducerID,
	})
	defer again.Close()
	again.shards.loads.Wait()
	for i, a := range was {
		d := wait(t, func(done func(kmsg.DescribeTransactionsResponseTransactionState)) {
			sh, err := again.shard(fmt.Sprint("id", i))
			askTxn(sh, err, func(tok txn.Token) txn.Event { return txn.Describe{Token: tok, ID: fmt.Sprint("id", i)} }, done, func(code int16) {
				t.Errorf("%v", kerr.ErrorForCode(code))
				done(kmsg.DescribeTransactionsResponseTransactionState{})
			})
		})
		if d.ProducerID != a.ProducerID || d.ProducerEpoch != a.Epoch {
			t.Errorf("%+v, was %+v", d, a)
		}
	}
	loading := &txnShard{coordLog: &coordLog{}, txns: again, machine: txn.New(again.cfg)}
	shards := []*txnShard{loading, loading}
	again.shards.list.Store(&shards)
	if _, err := again.shard("id0"); err != kerr.CoordinatorLoadInProgress || again.Available("id0") != nil {
		t.Errorf("%v", err)
	}
	res := wait(t, func(done func(*kmsg.ListTransactionsResponse)) {
		again.List(kmsg.NewPtrListTransactionsRequest(), done)
	})
	if res.ErrorCode != kerr.CoordinatorLoadInProgress.Code {
		t.Errorf("%+v", res)
	}
}

// A topic that is deleted while a transaction has it does not hold the others up; one
// that is made anew under its name is written like any other.
func TestTransactionOverADeletedTopic(t *testing.T) {
	t.Parallel()
	b := newTxnBed(t, vfs.NewMem())
	defer b.Abandon()
	if err := b.EnsureTopic(t.Context(), "u", 1, nil); err != nil {
		t.Fatal(err)
	}
	p := b.init("tx")
	if err := b.produce("tx", p, 0, 0); err != nil {
		t.Fatal(err)
	}
	raw := func(seq int32) []byte {
		return kafka.Build(kafka.BatchSpec{Transactional: true, Producer: &kafka.ProducerSpec{ID: p.ProducerID, Epoch: p.Epoch, Sequence: seq}},
			[]kafka.Record{{Timestamp: b.Now().UnixMilli(), Value: []byte("v")}})
	}
	from := TxnProducer{ID: "tx", Implicit: true}
	if _, err := b.ProduceFrom(t.Context(), b.Partition("u", 0), raw(0), from, false); err != nil {
		t.Fatal(err)
	}
	if errs := b.DeleteTopics([]*catalog.Topic{b.Catalog.Snapshot().Topic("u")}, nil); errs[0] != nil {
		t.Fatal(errs)
	}
	if err := b.EnsureTopic(t.Context(), "u", 1, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ProduceFrom(t.Context(), b.Partition("u", 0), raw(0), from, false); err != nil {
		t.Fatal(err)
	}
	if a := b.end("tx", p, false); a.Code != 0 {
		t.Fatalf("%+v", a)
	}
	for _, part := range []*Partition{b.Partition("t", 0), b.Partition("u", 0)} {
		if a, err := part.Log.Aborted(0, 9); part.Log.LastStable() != 2 || len(a) != 1 || err != nil {
			t.Errorf("%s: stable %d, %v, %v", part.Topic(), part.Log.LastStable(), a, err)
		}
	}
}
