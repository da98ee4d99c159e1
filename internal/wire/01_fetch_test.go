package wire

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// Gotchas: the whole batch that holds the offset comes, even from its middle (a
// broker without that hung clients); the list of aborted transactions is null
// unless read_committed is asked for; topic ids from v13 on (KIP-516).
func TestFetchInEveryVersion(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	id := b.topic("t", 2)
	c := b.dial()
	b.put(c, "t", "a", "b", "c")
	b.put(c, "t", "d", "e")
	versions(t, 1, func(t *testing.T, version int16) {
		for at, want := range map[int64][]int64{0: {0, 1, 2, 3, 4}, 2: {0, 1, 2, 3, 4}, 3: {3, 4}, 4: {3, 4}, 5: nil} {
			for isolation := range int8(2) {
				req := fetchFrom("t", id, at)
				req.IsolationLevel = isolation
				resp := ask[*kmsg.FetchResponse](c, req, version)
				p := oneFetched(t, resp)
				if byID := version >= 13; (resp.Topics[0].Topic == "t") == byID || (resp.Topics[0].TopicID == id) != byID {
					t.Errorf("topic %q, %v", resp.Topics[0].Topic, resp.Topics[0].TopicID)
				}
				if got := offsets(t, p.RecordBatches); !slices.Equal(got, want) || p.RecordBatches == nil {
					t.Errorf("from %d: %v, want %v", at, got, want)
				}
				if p.ErrorCode != 0 || p.HighWatermark != 5 || p.LastStableOffset != 5 || version >= 5 && p.LogStartOffset != 0 {
					t.Errorf("from %d: %+v", at, p)
				}
				if (p.AbortedTransactions == nil) != (isolation == 0) || len(p.AbortedTransactions) != 0 {
					t.Errorf("isolation %d: aborted %v", isolation, p.AbortedTransactions)
				}
			}
		}
		refused := func(what string, req *kmsg.FetchRequest, want *kerr.Error) {
			t.Helper()
			p := oneFetched(t, ask[*kmsg.FetchResponse](c, req, version))
			if name(p.ErrorCode) != want.Message || p.HighWatermark != -1 || p.RecordBatches == nil || len(p.RecordBatches) != 0 {
				t.Errorf("%s: %s, want %s: %+v", what, name(p.ErrorCode), want.Message, p)
			}
		}
		refused("above the end", fetchFrom("t", id, 6), kerr.OffsetOutOfRange)
		refused("below zero", fetchFrom("t", id, -1), kerr.OffsetOutOfRange)
		nobody := kerr.UnknownTopicOrPartition
		if version >= 13 {
			nobody = kerr.UnknownTopicID
		}
		refused("unknown topic", fetchFrom("none", kafka.UUID{3}, 0), nobody)
		req := fetchFrom("t", id, 0)
		req.Topics[0].Partitions[0].Partition = 2
		refused("unknown partition", req, kerr.UnknownTopicOrPartition)
		if version >= 9 {
			for by, want := range map[int32]*kerr.Error{-1: kerr.FencedLeaderEpoch, 1: kerr.UnknownLeaderEpoch} {
				req := fetchFrom("t", id, 0)
				req.Topics[0].Partitions[0].CurrentLeaderEpoch = b.broker.Epoch + by
				refused("epoch", req, want)
			}
		}
	})
}

// A follower has no business here.
func TestFetchOfAReplica(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	b.topic("t", 1)
	c := b.dial()
	req := fetchFrom("t", kafka.UUID{}, 0)
	req.Version, req.ReplicaID = 12, 1
	c.send(7, req)
	c.mustBeClosed()
	if !strings.Contains(b.log.String(), "replica id") {
		t.Error(b.log)
	}
}

// Gotcha: the first batch comes whole even when it is larger than every limit
// (KIP-74); after it only what fits, over all partitions in their order.
func TestFetchLimits(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, map[string]string{"fetch.max.bytes": "2000"})
	id := b.topic("t", 3)
	c := b.dial()
	batch := b.batch(strings.Repeat("x", 300))
	n := len(batch)
	for range 3 {
		mustCode(t, "produce", ask[*kmsg.ProduceResponse](c, produceTo("t", id, -1, batch, batch, batch), 9).Topics[0].Partitions[2].ErrorCode, nil)
	}
	for _, tc := range []struct {
		max, perPartition int
		want              []int // batches of each partition
	}{
		{1, 1, []int{1, 0, 0}}, {n, n, []int{1, 0, 0}}, {2*n - 1, 9 * n, []int{1, 0, 0}}, {2 * n, 9 * n, []int{2, 0, 0}},
		{4 * n, 9 * n, []int{3, 1, 0}}, {9 * n, n + 1, []int{1, 1, 1}}, {9 * n, 1, []int{1, 0, 0}}, {5 * n, 2 * n, []int{2, 2, 1}},
		{1 << 30, 1 << 30, []int{3, 2000/n - 3, 0}}, // fetch.max.bytes
	} {
		req := fetchFrom("t", id, 0)
		req.MaxBytes = int32(tc.max)
		req.Topics[0].Partitions = nil
		for p := range int32(3) {
			rp := fetchPartition(p, 0)
			rp.PartitionMaxBytes = int32(tc.perPartition)
			req.Topics[0].Partitions = append(req.Topics[0].Partitions, rp)
		}
		resp := ask[*kmsg.FetchResponse](c, req, 13)
		for i, p := range resp.Topics[0].Partitions {
			if len(p.RecordBatches) != tc.want[i]*n {
				t.Errorf("max %d, %d a partition: partition %d has %d bytes, want %d batches of %d", tc.max, tc.perPartition, i, len(p.RecordBatches), tc.want[i], n)
			}
		}
	}
}

// Every version gets every codec. KIP-110 gives zstd to v10 only, but kafka-python
// 2.0.2 asks in v4, knows zstd, and gets it from Kafka 4.
func TestFetchAnyCodec(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	c := b.dial()
	for _, codec := range []kafka.Codec{kafka.CodecGzip, kafka.CodecSnappy, kafka.CodecLZ4, kafka.CodecZstd} {
		id := b.topic(codec.String(), 1)
		mustCode(t, "produce", produced(c, produceTo(codec.String(), id, -1, batchAt(kafka.BatchSpec{Codec: codec}, b.now(), "a")), 9).ErrorCode, nil)
		versions(t, 1, func(t *testing.T, version int16) {
			got := oneFetched(t, ask[*kmsg.FetchResponse](c, fetchFrom(codec.String(), id, 0), version))
			mustCode(t, codec.String(), got.ErrorCode, nil)
			if batch, _, err := kafka.NextBatch(got.RecordBatches); err != nil || batch.Codec() != codec {
				t.Errorf("%v v%d: got %d bytes, %v", codec, version, len(got.RecordBatches), err)
			}
		})
	}
}

// Where the log of a client and ours part is told instead of records (KIP-595).
func TestFetchDivergingEpoch(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	id := b.topic("t", 1)
	b.put(b.dial(), "t", "a", "b") // epoch 1: 0, 1
	b.kill()                       // 2 writes nothing
	b.kill()
	c := b.dial()
	b.put(c, "t", "c") // epoch 3: 2
	type answer struct {
		code    string
		epoch   int32
		end     int64
		records bool
	}
	for _, tc := range []struct {
		fetched int32
		offset  int64
		want    answer
	}{
		{-1, 1, answer{"ok", -1, -1, true}},
		{1, 2, answer{"ok", -1, -1, true}},
		{1, 3, answer{"ok", 1, 2, false}}, // it has an offset of epoch 1 that is not ours
		{2, 2, answer{"ok", 1, 2, false}},
		{3, 3, answer{"ok", -1, -1, false}},
		{3, 4, answer{"ok", 3, 3, false}},
		{4, 2, answer{"OFFSET_OUT_OF_RANGE", -1, -1, false}}, // has not been yet
	} {
		for _, version := range []int16{12, 18} {
			req := fetchFrom("t", id, tc.offset)
			req.MinBytes, req.Topics[0].Partitions[0].LastFetchedEpoch = 1, tc.fetched
			p := oneFetched(t, ask[*kmsg.FetchResponse](c, req, version))
			got := answer{name(p.ErrorCode), p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset, len(p.RecordBatches) > 0}
			if got != tc.want {
				t.Errorf("v%d, epoch %d, offset %d: %+v, want %+v", version, tc.fetched, tc.offset, got, tc.want)
			}
		}
	}
}

// What lies in segments reads like what lies in memory.
func TestFetchAfterACheckpoint(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	id := b.topic("t", 1)
	c := b.dial()
	for i := range 20 {
		b.put(c, "t", fmt.Sprint(i), "x", strings.Repeat("y", 300))
	}
	all := func() (got []string) {
		for at := range int64(61) {
			p := oneFetched(t, ask[*kmsg.FetchResponse](c, fetchFrom("t", id, at), 13))
			got = append(got, fmt.Sprint(offsets(t, p.RecordBatches)))
		}
		return got
	}
	before := all()
	if err := b.broker.Store.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if after := all(); !slices.Equal(before, after) {
		t.Errorf("before %v\nafter %v", before, after)
	}
}
