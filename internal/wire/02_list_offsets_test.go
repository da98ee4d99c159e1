package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// All timestamps that stand for something else, from the version on that knows them
// (KIP-734, KIP-405, KIP-1005, KIP-1023); before it, and for others below zero, the
// answer is UNSUPPORTED_VERSION.
func TestListOffsetsSpecials(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	b.topic("t", 1)
	b.topic("empty", 1)
	c := b.dial()
	now := b.now()
	for _, stamps := range [][]int64{{1, 2}, {50, 70, 60}, {70, 3}} {
		var rs []kafka.Record
		for _, ts := range stamps {
			rs = append(rs, kafka.Record{Timestamp: now + ts})
		}
		mustCode(t, "produce", produced(c, produceTo("t", kafka.UUID{}, -1, kafka.Build(kafka.BatchSpec{Codec: kafka.CodecGzip}, rs)), 9).ErrorCode, nil)
	}
	ask[*kmsg.DeleteRecordsResponse](c, deleteTo("t", 1), 2)
	type stamp struct {
		offset, ts int64
		epoch      int32
	}
	none := stamp{-1, -1, -1}
	for _, tc := range []struct {
		special  int64
		since    int16
		t, empty stamp
	}{
		{-1, 1, stamp{7, -1, 1}, stamp{0, -1, 1}},
		{-2, 1, stamp{1, -1, 1}, stamp{0, -1, 1}},
		{-3, 7, stamp{3, now + 70, 1}, none},
		{-4, 8, stamp{1, -1, 1}, stamp{0, -1, 1}},
		{-5, 9, none, none},
		{-6, 11, none, none},
		{-7, 99, none, none},
	} {
		versions(t, 2, func(t *testing.T, version int16) {
			for topic, want := range map[string]stamp{"t": tc.t, "empty": tc.empty} {
				p := listed(c, topic, tc.special, version)
				if version < tc.since {
					if p.ErrorCode != kerr.UnsupportedVersion.Code || p.Offset != -1 {
						t.Errorf("%s %d: %+v", topic, tc.special, p)
					}
					continue
				}
				if version < 4 {
					want.epoch = -1
				}
				if got := (stamp{p.Offset, p.Timestamp, p.LeaderEpoch}); p.ErrorCode != 0 || got != want {
					t.Errorf("%s %d: %s %+v, want %+v", topic, tc.special, name(p.ErrorCode), got, want)
				}
			}
		})
	}
}

// By time: the first record at or after it, inside compressed batches too; under
// LogAppendTime the broker's time counts. In memory and in segments.
func TestListOffsetsByTime(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	b.topic("t", 1)
	b.topic("stamped", 1, "message.timestamp.type", "LogAppendTime")
	c := b.dial()
	now := b.now()
	add := func(topic string, codec kafka.Codec, stamps ...int64) {
		var rs []kafka.Record
		for _, ts := range stamps {
			rs = append(rs, kafka.Record{Timestamp: now + ts})
		}
		mustCode(t, "produce", produced(c, produceTo(topic, kafka.UUID{}, -1, kafka.Build(kafka.BatchSpec{Codec: codec}, rs)), 9).ErrorCode, nil)
	}
	add("t", kafka.CodecNone, 10, 20, 30)
	add("t", kafka.CodecLZ4, 25, 60, 40)
	add("t", kafka.CodecZstd, 35, 50, 100)
	add("stamped", kafka.CodecGzip, -500, -400)
	for _, where := range []string{"memory", "segments"} {
		versions(t, 2, func(t *testing.T, version int16) {
			for at, want := range map[int64][2]int64{-5: {0, 10}, 10: {0, 10}, 11: {1, 20}, 30: {2, 30}, 31: {4, 60}, 60: {4, 60}, 61: {8, 100}, 100: {8, 100}} {
				if p := listed(c, "t", now+at, version); p.ErrorCode != 0 || p.Offset != want[0] || p.Timestamp != now+want[1] || version >= 4 && p.LeaderEpoch != 1 {
					t.Errorf("%s, at %d: %+v, want %d at %d", where, at, p, want[0], want[1])
				}
			}
			if p := listed(c, "t", now+101, version); p.ErrorCode != 0 || p.Offset != -1 || p.Timestamp != -1 {
				t.Errorf("%s, later than all: %+v", where, p)
			}
			if p := listed(c, "stamped", now, version); p.Offset != 0 || p.Timestamp < now {
				t.Errorf("%s, stamped: %+v", where, p)
			}
			if p := listed(c, "stamped", b.now()+1000, version); p.Offset != -1 {
				t.Errorf("%s, stamped later: %+v", where, p)
			}
		})
		if err := b.broker.Store.Checkpoint(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestListOffsetsRefusals(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	b.topic("t", 1)
	c := b.dial()
	b.put(c, "t", "a")
	versions(t, 2, func(t *testing.T, version int16) {
		mustCode(t, "unknown topic", listed(c, "none", -1, version).ErrorCode, kerr.UnknownTopicOrPartition)
		req := listRequest("t", -1)
		req.Topics[0].Partitions[0].Partition = 1
		mustCode(t, "unknown partition", ask[*kmsg.ListOffsetsResponse](c, req, version).Topics[0].Partitions[0].ErrorCode, kerr.UnknownTopicOrPartition)
		req = listRequest("t", -1)
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, req.Topics[0].Partitions[0])
		if ps := ask[*kmsg.ListOffsetsResponse](c, req, version).Topics[0].Partitions; len(ps) != 1 || ps[0].ErrorCode != kerr.InvalidRequest.Code {
			t.Errorf("twice: %+v", ps)
		}
		if version < 4 {
			return
		}
		for by, want := range map[int32]*kerr.Error{-1: kerr.FencedLeaderEpoch, 0: nil, 1: kerr.UnknownLeaderEpoch} {
			req := listRequest("t", -1)
			req.Topics[0].Partitions[0].CurrentLeaderEpoch = b.broker.Epoch + by
			mustCode(t, "epoch", ask[*kmsg.ListOffsetsResponse](c, req, version).Topics[0].Partitions[0].ErrorCode, want)
		}
	})
	req := listRequest("t", -1)
	req.Version, req.ReplicaID = 7, 3
	c.send(7, req)
	c.mustBeClosed()
}
