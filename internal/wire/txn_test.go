package wire

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// txnBench is a producer of a transactional id, request by request.
type txnBench struct {
	*groupBench
	t     *testing.T
	c     *client
	id    string
	pid   int64
	epoch int16
	seq   int32
}

func newTxnBench(t *testing.T, id string) *txnBench {
	b := &txnBench{groupBench: newGroupBench(t), t: t, id: id}
	b.c = b.dial()
	return b
}

func (b *txnBench) init(version int16) *kerr.Error {
	b.t.Helper()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = kmsg.StringPtr(b.id), 60_000
	res := ask[*kmsg.InitProducerIDResponse](b.c, req, version)
	if res.ErrorCode == 0 {
		b.pid, b.epoch, b.seq = res.ProducerID, res.ProducerEpoch, 0
	}
	return kerr.TypedErrorForCode(res.ErrorCode)
}

// produce sends one record to partition 0 of t.
func (b *txnBench) produce(version int16, value string) *kerr.Error {
	b.t.Helper()
	raw := kafka.Build(kafka.BatchSpec{Transactional: true, Producer: &kafka.ProducerSpec{ID: b.pid, Epoch: b.epoch, Sequence: b.seq}},
		[]kafka.Record{{Timestamp: b.broker.Now().UnixMilli(), Value: []byte(value)}})
	req := produceTo("t", b.broker.Catalog.Snapshot().Topic("t").ID, -1, raw)
	req.TransactionID = &b.id
	res := produced(b.c, req, version)
	if res.ErrorCode == 0 {
		b.seq++
	}
	return kerr.TypedErrorForCode(res.ErrorCode)
}

func (b *txnBench) add(version int16, topic string, partitions ...int32) []int16 {
	b.t.Helper()
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	if version < 4 {
		req.TransactionalID, req.ProducerID, req.ProducerEpoch = b.id, b.pid, b.epoch
		req.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: topic, Partitions: partitions}}
		res := ask[*kmsg.AddPartitionsToTxnResponse](b.c, req, version)
		var codes []int16
		for _, p := range res.Topics[0].Partitions {
			codes = append(codes, p.ErrorCode)
		}
		return codes
	}
	t := kmsg.NewAddPartitionsToTxnRequestTransaction()
	t.TransactionalID, t.ProducerID, t.ProducerEpoch = b.id, b.pid, b.epoch
	t.Topics = []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: topic, Partitions: partitions}}
	verify := t
	verify.VerifyOnly = true
	req.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{t, verify}
	res := ask[*kmsg.AddPartitionsToTxnResponse](b.c, req, version)
	if len(res.Transactions) != 2 {
		b.t.Fatalf("%+v", res)
	}
	var codes []int16
	for i, p := range res.Transactions[0].Topics[0].Partitions {
		if other := res.Transactions[1].Topics[0].Partitions[i]; other.ErrorCode != p.ErrorCode && p.ErrorCode != kerr.OperationNotAttempted.Code {
			b.t.Errorf("added with %s, looked for with %s", name(p.ErrorCode), name(other.ErrorCode))
		}
		codes = append(codes, p.ErrorCode)
	}
	return codes
}

func (b *txnBench) end(version int16, commit bool) *kerr.Error {
	b.t.Helper()
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = b.id, b.pid, b.epoch, commit
	res := ask[*kmsg.EndTxnResponse](b.c, req, version)
	if res.ErrorCode == 0 && version >= 5 {
		if res.ProducerID != b.pid || res.ProducerEpoch != b.epoch+1 {
			b.t.Errorf("goes on as %d/%d after %d/%d", res.ProducerID, res.ProducerEpoch, b.pid, b.epoch)
		}
		b.pid, b.epoch, b.seq = res.ProducerID, res.ProducerEpoch, 0
	}
	return kerr.TypedErrorForCode(res.ErrorCode)
}

func (b *txnBench) want(what string, got, want *kerr.Error) {
	b.t.Helper()
	if got != want {
		b.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// Every version of AddPartitionsToTxn, EndTxn and Produce: the first partition is added
// by the request before Produce v12, and by the data from then on.
func TestTransactionInEveryVersion(t *testing.T) {
	t.Parallel()
	b := newTxnBench(t, "tx")
	offset := int64(0)
	versions(t, 24, func(t *testing.T, version int16) {
		b.t = t
		b.want("init", b.init(5), nil)
		old := kerr.ProducerFenced
		if version < 2 {
			old = kerr.InvalidProducerEpoch
		}
		if version < 4 {
			b.want("produce", b.produce(10, "early"), kerr.InvalidTxnState)
			b.want("produce", b.produce(11, "early"), kerr.TransactionAbortable)
		}
		if got := b.add(version, "t", 0, 9); got[0] != kerr.OperationNotAttempted.Code || got[1] != kerr.UnknownTopicOrPartition.Code {
			t.Errorf("%v", got)
		}
		if got := b.add(version, "t", 0, 1); got[0] != 0 || got[1] != 0 {
			t.Errorf("%v", got)
		}
		b.want("produce", b.produce(11, "v"), nil)
		offset++
		b.epoch--
		if got := b.add(version, "t", 0); got[0] != old.Code {
			t.Errorf("%s", name(got[0]))
		}
		b.epoch++
		b.want("end", b.end(min(version, 4), true), nil)
		offset++
		log := b.broker.Partition("t", 0).Log
		if log.End() != offset || log.LastStable() != offset {
			t.Errorf("end %d, stable %d, want %d", log.End(), log.LastStable(), offset)
		}
	})
	versions(t, 26, func(t *testing.T, version int16) {
		b.t = t
		b.want("init", b.init(5), nil)
		b.want("produce", b.produce(13, "v"), nil)
		epoch := b.epoch
		b.want("end", b.end(version, version%2 == 0), nil)
		b.epoch = epoch
		b.want("end again", b.end(version, version%2 == 0), nil)
		b.epoch = epoch
		b.want("the other end", b.end(version, version%2 == 1), kerr.InvalidTxnState)
		if version >= 5 {
			b.epoch = epoch + 1
			b.want("abort of nothing", b.end(version, false), nil)
		}
		b.epoch = epoch - 1
		fenced := kerr.ProducerFenced
		if version < 2 {
			fenced = kerr.InvalidProducerEpoch
		}
		b.want("zombie", b.end(version, true), fenced)
		b.want("zombie's data", b.produce(13, "z"), kerr.InvalidProducerEpoch)
		b.id, b.epoch = "nobody", epoch+1
		b.want("nobody", b.end(version, true), kerr.InvalidProducerIDMapping)
		b.want("nobody's data", b.produce(13, "z"), kerr.InvalidProducerIDMapping)
		b.id = ""
		b.want("no id", b.end(version, true), kerr.InvalidRequest)
		b.id = "tx"
	})
}

// A framework that resumes a producer id and epoch after a restart (Flink) commits what
// it had written before the broker was killed.
func TestTransactionGoesOnAfterKill(t *testing.T) {
	t.Parallel()
	b := newTxnBench(t, "tx")
	b.want("init", b.init(5), nil)
	b.want("produce", b.produce(13, "before"), nil)
	b.kill(t)
	b.c = b.dial()
	if log := b.broker.Partition("t", 0).Log; log.LastStable() != 0 || log.HighWatermark() != 1 {
		t.Fatalf("stable %d, high watermark %d", log.LastStable(), log.HighWatermark())
	}
	b.want("produce", b.produce(13, "after"), nil)
	b.want("commit", b.end(5, true), nil)
	b.kill(t)
	b.c = b.dial()
	if log := b.broker.Partition("t", 0).Log; log.LastStable() != 3 {
		t.Errorf("stable %d", log.LastStable())
	}
	b.epoch--
	b.want("commit again", b.end(5, true), nil)
	b.want("produce", b.produce(13, "next"), nil)
	b.want("abort", b.end(5, false), nil)
}

// The aborted transactions are told by first offset, to readers of committed data alone.
func TestFetchTellsAbortedTransactions(t *testing.T) {
	t.Parallel()
	b := newTxnBench(t, "tx")
	other := &txnBench{groupBench: b.groupBench, t: t, c: b.c, id: "other"}
	b.want("init", b.init(5), nil)
	b.want("init", other.init(5), nil)
	b.want("produce", b.produce(13, "a"), nil)
	b.want("produce", other.produce(13, "b"), nil)
	b.want("abort", other.end(5, false), nil) // ends first, began second
	id := b.broker.Catalog.Snapshot().Topic("t").ID
	fetch := func(version int16, committed bool, offset int64) kmsg.FetchResponseTopicPartition {
		req := fetchFrom("t", id, offset)
		if committed {
			req.IsolationLevel = 1
		}
		return oneFetched(t, ask[*kmsg.FetchResponse](b.c, req, version))
	}
	versions(t, 1, func(t *testing.T, version int16) {
		if got := fetch(version, true, 0); got.HighWatermark != 3 || got.LastStableOffset != 0 || len(got.RecordBatches) != 0 || got.AbortedTransactions == nil {
			t.Errorf("%+v", got)
		}
		if got := fetch(version, false, 0); got.LastStableOffset != 0 || len(offsets(t, got.RecordBatches)) != 3 || got.AbortedTransactions != nil {
			t.Errorf("%+v", got)
		}
	})
	b.want("abort", b.end(5, false), nil)
	versions(t, 1, func(t *testing.T, version int16) {
		got := fetch(version, true, 0)
		var told []string
		for _, a := range got.AbortedTransactions {
			told = append(told, fmt.Sprint(a.ProducerID, " ", a.FirstOffset))
		}
		if want := fmt.Sprint([]string{fmt.Sprint(b.pid, " 0"), fmt.Sprint(other.pid, " 1")}); fmt.Sprint(told) != want || got.LastStableOffset != 4 {
			t.Errorf("%v, want %s; stable %d", told, want, got.LastStableOffset)
		}
	})
}

// Offsets of a transaction count when it is committed; until then RequireStable has to
// wait. A consumer that has lost its generation commits nothing (KIP-447).
func TestTxnOffsetCommit(t *testing.T) {
	t.Parallel()
	b := newTxnBench(t, "tx")
	topic := b.broker.Catalog.Snapshot().Topic("t")
	group := 0
	versions(t, 28, func(t *testing.T, version int16) {
		b.t = t
		group++
		g := fmt.Sprint("g", group)
		b.want("init", b.init(5), nil)
		commit := func(offset int64, edit func(*kmsg.TxnOffsetCommitRequest)) *kerr.Error {
			t.Helper()
			req := kmsg.NewPtrTxnOffsetCommitRequest()
			req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = b.id, g, b.pid, b.epoch
			rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			rp.Partition, rp.Offset = 1, offset
			rt := kmsg.NewTxnOffsetCommitRequestTopic()
			rt.Topic, rt.TopicID, rt.Partitions = "t", topic.ID, []kmsg.TxnOffsetCommitRequestTopicPartition{rp}
			req.Topics = append(req.Topics, rt)
			if edit != nil {
				edit(req)
			}
			res := ask[*kmsg.TxnOffsetCommitResponse](b.c, req, version)
			return kerr.TypedErrorForCode(res.Topics[0].Partitions[0].ErrorCode)
		}
		fetch := func(stable bool) (int64, *kerr.Error) {
			req := kmsg.NewPtrOffsetFetchRequest()
			req.Group, req.RequireStable = g, stable
			req.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: []int32{1}}}
			p := ask[*kmsg.OffsetFetchResponse](b.c, req, 7).Topics[0].Partitions[0]
			return p.Offset, kerr.TypedErrorForCode(p.ErrorCode)
		}
		if version < 5 {
			refused := kerr.InvalidTxnState
			if version == 4 {
				refused = kerr.TransactionAbortable
			}
			b.want("before it is added", commit(1, nil), refused)
			add := kmsg.NewPtrAddOffsetsToTxnRequest()
			add.TransactionalID, add.Group, add.ProducerID, add.ProducerEpoch = b.id, g, b.pid, b.epoch
			if res := ask[*kmsg.AddOffsetsToTxnResponse](b.c, add, min(version, 3)); res.ErrorCode != 0 {
				t.Fatal(name(res.ErrorCode))
			}
		}
		b.want("commit", commit(5, nil), nil)
		if at, err := fetch(true); at != -1 || err != kerr.UnstableOffsetCommit {
			t.Errorf("%d %v", at, err)
		}
		if at, err := fetch(false); at != -1 || err != nil {
			t.Errorf("%d %v", at, err)
		}
		if version >= 3 {
			b.want("a member that is gone", commit(6, func(r *kmsg.TxnOffsetCommitRequest) { r.MemberID, r.Generation = "x", 3 }), kerr.UnknownMemberID)
		}
		b.want("zombie", commit(6, func(r *kmsg.TxnOffsetCommitRequest) { r.ProducerEpoch-- }), kerr.InvalidProducerEpoch)
		b.want("end", b.end(4, true), nil)
		if at, err := fetch(true); at != 5 || err != nil {
			t.Errorf("%d %v", at, err)
		}
		if version >= 5 {
			b.want("commit", commit(9, nil), nil)
			b.want("abort", b.end(5, false), nil)
			if at, err := fetch(true); at != 5 || err != nil {
				t.Errorf("%d %v after an abort", at, err)
			}
		}
	})
}

// DescribeProducers, DescribeTransactions and ListTransactions see an open transaction;
// WriteTxnMarkers ends one that hangs, in one partition.
func TestAdministerTransactions(t *testing.T) {
	t.Parallel()
	b := newTxnBench(t, "tx")
	b.want("init", b.init(5), nil)
	b.want("produce", b.produce(13, "v"), nil)
	producers := func() kmsg.DescribeProducersResponseTopicPartition {
		req := kmsg.NewPtrDescribeProducersRequest()
		req.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: "t", Partitions: []int32{0, 9}}}
		ps := ask[*kmsg.DescribeProducersResponse](b.c, req, 0).Topics[0].Partitions
		if ps[1].ErrorCode != kerr.UnknownTopicOrPartition.Code {
			t.Errorf("%+v", ps[1])
		}
		return ps[0]
	}
	if p := producers(); len(p.ActiveProducers) != 1 || p.ActiveProducers[0].CurrentTxnStartOffset != 0 || p.ActiveProducers[0].ProducerID != b.pid || p.ActiveProducers[0].CoordinatorEpoch != -1 {
		t.Errorf("%+v", p)
	}
	describe := kmsg.NewPtrDescribeTransactionsRequest()
	describe.TransactionalIDs = []string{"tx", "nobody"}
	ts := ask[*kmsg.DescribeTransactionsResponse](b.c, describe, 0).TransactionStates
	if ts[0].State != "Ongoing" || ts[0].ProducerID != b.pid || ts[0].TimeoutMillis != 60_000 || len(ts[0].Topics) != 1 || ts[0].StartTimestamp <= 0 || ts[1].ErrorCode != kerr.TransactionalIDNotFound.Code {
		t.Errorf("%+v", ts)
	}
	list := func(version int16, edit func(*kmsg.ListTransactionsRequest)) *kmsg.ListTransactionsResponse {
		req := kmsg.NewPtrListTransactionsRequest()
		edit(req)
		return ask[*kmsg.ListTransactionsResponse](b.c, req, version)
	}
	versions(t, 66, func(t *testing.T, version int16) {
		for i, edit := range []func(*kmsg.ListTransactionsRequest){
			func(*kmsg.ListTransactionsRequest) {},
			func(r *kmsg.ListTransactionsRequest) { r.StateFilters = []string{"Ongoing", "Wrong"} },
			func(r *kmsg.ListTransactionsRequest) { r.ProducerIDFilters = []int64{b.pid} },
			func(r *kmsg.ListTransactionsRequest) { r.StateFilters = []string{"Wrong"} },
			func(r *kmsg.ListTransactionsRequest) { r.ProducerIDFilters = []int64{1} },
		} {
			res := list(version, edit)
			if want := i < 3; (len(res.TransactionStates) == 1) != want || res.ErrorCode != 0 {
				t.Errorf("filter %d: %+v", i, res)
			}
			if (len(res.UnknownStateFilters) == 1) != (i == 1 || i == 3) {
				t.Errorf("filter %d: %+v", i, res)
			}
		}
		if version >= 1 {
			if res := list(version, func(r *kmsg.ListTransactionsRequest) { r.DurationFilterMillis = 3_600_000 }); len(res.TransactionStates) != 0 {
				t.Errorf("%+v", res)
			}
		}
		if version >= 2 {
			for pattern, want := range map[string]int{"t.": 1, "t": 0, "": 1} {
				if res := list(version, func(r *kmsg.ListTransactionsRequest) { r.TransactionalIDPattern = &pattern }); len(res.TransactionStates) != want {
					t.Errorf("%q: %+v", pattern, res)
				}
			}
			if res := list(version, func(r *kmsg.ListTransactionsRequest) {
				r.TransactionalIDPattern, r.StateFilters = kmsg.StringPtr("("), []string{"Nosuch"}
			}); res.ErrorCode != kerr.InvalidRegularExpression.Code || len(res.UnknownStateFilters) != 0 {
				t.Errorf("%+v", res)
			}
		}
	})
	write := func(version, epoch int16, coordinator int32) int16 {
		req := kmsg.NewPtrWriteTxnMarkersRequest()
		m := kmsg.NewWriteTxnMarkersRequestMarker()
		m.ProducerID, m.ProducerEpoch, m.CoordinatorEpoch = b.pid, epoch, coordinator
		m.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: "t", Partitions: []int32{0}}}
		req.Markers = append(req.Markers, m)
		return ask[*kmsg.WriteTxnMarkersResponse](b.c, req, version).Markers[0].Topics[0].Partitions[0].ErrorCode
	}
	if code := write(1, b.epoch, 7); code != 0 {
		t.Error(name(code))
	}
	if log := b.broker.Partition("t", 0).Log; log.LastStable() != 2 {
		t.Errorf("stable %d", log.LastStable())
	}
	if p := producers().ActiveProducers[0]; p.CurrentTxnStartOffset != -1 || p.CoordinatorEpoch != 7 {
		t.Errorf("%+v", p)
	}
	if code := write(2, b.epoch, 6); code != kerr.TransactionCoordinatorFenced.Code {
		t.Error(name(code))
	}
	if code := write(2, b.epoch-1, 7); code != kerr.InvalidProducerEpoch.Code {
		t.Error(name(code))
	}
}

// A time-out aborts and fences.
func TestTransactionTimesOut(t *testing.T) {
	t.Parallel()
	b := newTxnBench(t, "tx")
	b.want("init", b.init(5), nil)
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = kmsg.StringPtr("tx"), 30
	res := ask[*kmsg.InitProducerIDResponse](b.c, req, 5)
	b.pid, b.epoch = res.ProducerID, res.ProducerEpoch
	b.want("produce", b.produce(13, "v"), nil)
	// The reader is woken by the abort.
	f := fetchFrom("t", b.broker.Catalog.Snapshot().Topic("t").ID, 0)
	f.IsolationLevel, f.MaxWaitMillis, f.MinBytes = 1, 60_000, 1
	got := oneFetched(t, ask[*kmsg.FetchResponse](b.c, f, 13))
	if got.LastStableOffset != 2 || len(got.AbortedTransactions) != 1 || !bytes.Contains(got.RecordBatches, []byte("v")) {
		t.Errorf("%+v", got)
	}
	b.want("produce", b.produce(13, "late"), kerr.InvalidProducerEpoch)
}
