package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The epochs of the starts are a history that outlives them (KIP-101, KIP-320). One
// that wrote nothing ends where the next begins: a consumer at the start of what
// was an empty log is not told that it lost records.
func TestOffsetForLeaderEpoch(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	b.topic("t", 1)
	b.topic("empty", 1)
	b.kill()
	b.put(b.dial(), "t", "a", "b") // epoch 2: 0, 1
	b.kill()                       // 3: nothing
	b.kill()
	b.put(b.dial(), "t", "c") // epoch 4: 2
	b.kill()                  // 5 is now
	if b.broker.Epoch != 5 {
		t.Fatalf("epoch %d", b.broker.Epoch)
	}
	c := b.dial()
	request := func(topic string, current, epoch int32) *kmsg.OffsetForLeaderEpochRequest {
		req := kmsg.NewPtrOffsetForLeaderEpochRequest()
		rt := kmsg.NewOffsetForLeaderEpochRequestTopic()
		rt.Topic = topic
		rp := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		rp.CurrentLeaderEpoch, rp.LeaderEpoch = current, epoch
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		return req
	}
	look := func(t *testing.T, version int16) {
		type answer struct {
			epoch int32
			end   int64
		}
		for asked, want := range map[int32]answer{-1: {-1, -1}, 1: {1, 0}, 2: {2, 2}, 3: {2, 2}, 4: {4, 3}, 5: {5, 3}, 6: {-1, -1}} {
			p := ask[*kmsg.OffsetForLeaderEpochResponse](c, request("t", 5, asked), version).Topics[0].Partitions[0]
			if got := (answer{p.LeaderEpoch, p.EndOffset}); p.ErrorCode != 0 || got != want {
				t.Errorf("epoch %d: %s %+v, want %+v", asked, name(p.ErrorCode), got, want)
			}
			if asked < 1 || asked > 5 {
				continue
			}
			p = ask[*kmsg.OffsetForLeaderEpochResponse](c, request("empty", -1, asked), version).Topics[0].Partitions[0]
			if p.ErrorCode != 0 || p.LeaderEpoch != asked || p.EndOffset != 0 {
				t.Errorf("empty, epoch %d: %+v", asked, p)
			}
		}
		for current, want := range map[int32]*kerr.Error{4: kerr.FencedLeaderEpoch, 6: kerr.UnknownLeaderEpoch} {
			p := ask[*kmsg.OffsetForLeaderEpochResponse](c, request("t", current, 2), version).Topics[0].Partitions[0]
			if p.ErrorCode != want.Code || p.LeaderEpoch != -1 || p.EndOffset != -1 {
				t.Errorf("current epoch %d: %+v", current, p)
			}
		}
		mustCode(t, "unknown", ask[*kmsg.OffsetForLeaderEpochResponse](c, request("none", -1, 2), version).Topics[0].Partitions[0].ErrorCode, kerr.UnknownTopicOrPartition)
	}
	versions(t, 23, look)
	if p := listed(c, "t", -1, 7); p.LeaderEpoch != 5 {
		t.Errorf("latest: %+v", p)
	}
	if p := listed(c, "t", -2, 7); p.LeaderEpoch != 2 {
		t.Errorf("earliest: %+v", p)
	}
	if p := listed(c, "t", b.now()+1, 7); p.LeaderEpoch != -1 {
		t.Errorf("none: %+v", p)
	}
}
