package wire

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The metadata string comes back as it was sent (table of §4), whichever
// versions meet; topics that do not exist are answered one by one.
func TestOffsetCommit(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	versions(t, 8, func(t *testing.T, version int16) {
		c.t = t
		meta := "half way, ü 日本"
		req := b.commitTo("g", "t", version, 1, int64(100+version), &meta)
		other := b.commitTo("g", "none", version, 0, 1, nil)
		null := b.commitTo("g", "u", version, 0, int64(200+version), nil)
		req.Topics = append(req.Topics, other.Topics[0], null.Topics[0])
		req.Topics[2].Partitions = append(req.Topics[2].Partitions, b.commitTo("g", "u", version, 1, 1, nil).Topics[0].Partitions[0])
		res := ask[*kmsg.OffsetCommitResponse](c, req, version)
		if len(res.Topics) != 3 {
			t.Fatalf("%+v", res)
		}
		unknown := kerr.UnknownTopicOrPartition
		if version >= 10 {
			unknown = kerr.UnknownTopicID
		}
		for i, want := range []*kerr.Error{nil, unknown, nil} {
			p := res.Topics[i].Partitions[0]
			mustCode(t, "commit", p.ErrorCode, want)
			if i == 2 { // it has one partition
				mustCode(t, "a partition that does not exist", res.Topics[i].Partitions[1].ErrorCode, kerr.UnknownTopicOrPartition)
			}
			if version < 10 && res.Topics[i].Topic != req.Topics[i].Topic || res.Topics[i].TopicID != req.Topics[i].TopicID && version >= 10 {
				t.Errorf("answer %d is about %q %x", i, res.Topics[i].Topic, res.Topics[i].TopicID)
			}
			if p.Partition != req.Topics[i].Partitions[0].Partition {
				t.Errorf("partition %d", p.Partition)
			}
		}
		for fetch := int16(1); fetch <= 10; fetch++ {
			got, code := b.fetch(c, "g", fetch, false)
			mustCode(t, "fetch", code, nil)
			want := []fetched{{"g", "t", 0, -1, "", 0}, {"g", "t", 1, int64(100 + version), meta, 0}, {"g", "u", 0, int64(200 + version), "", 0}}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("OffsetFetch v%d: %+v, want %+v", fetch, got[i], want[i])
				}
			}
		}
	})
}

// offset.metadata.max.bytes is 4096: one byte more is refused for that partition
// alone.
func TestOffsetCommitMetadataTooLarge(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	// Java's length, whatever the name of the config says: this is 8 KiB of UTF-8.
	long, longer := strings.Repeat("ü", 4096), strings.Repeat("ü", 4094)+"x😀"
	req := b.commitTo("g", "t", 9, 0, 1, &long)
	req.Topics[0].Partitions = append(req.Topics[0].Partitions, b.commitTo("g", "t", 9, 1, 1, &longer).Topics[0].Partitions...)
	res := ask[*kmsg.OffsetCommitResponse](c, req, 9)
	mustCode(t, "4096", res.Topics[0].Partitions[0].ErrorCode, nil)
	mustCode(t, "4097", res.Topics[0].Partitions[1].ErrorCode, kerr.OffsetMetadataTooLarge)
	got, _ := b.fetch(c, "g", 9, true)
	if len(got) != 1 || got[0].metadata != long {
		t.Errorf("%d offsets are stored", len(got))
	}
}

// Gotcha §9.10: a commit during a rebalance behaves as in Kafka.
func TestOffsetCommitDuringRebalance(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c, other := b.dial(), b.dial()
	j := member(c, "g", nil)
	commit := func(generation int32, offset int64) int16 {
		req := b.commitTo("g", "t", 9, 0, offset, nil)
		req.MemberID, req.Generation = j.MemberID, generation
		return ask[*kmsg.OffsetCommitResponse](c, req, 9).Topics[0].Partitions[0].ErrorCode
	}
	mustCode(t, "stable", commit(j.Generation, 1), nil)
	join := joinRequest("g", "")
	join.SetVersion(3)
	other.send(7, join)
	for beat(c, "g", j) != kerr.RebalanceInProgress.Code {
	}
	mustCode(t, "while members gather", commit(j.Generation, 2), nil)
	again := ask[*kmsg.JoinGroupResponse](c, joinRequest("g", j.MemberID), 9)
	mustCode(t, "join", again.ErrorCode, nil)
	mustCode(t, "the generation before", commit(j.Generation, 3), kerr.IllegalGeneration)
	mustCode(t, "before the assignment", commit(again.Generation, 3), kerr.RebalanceInProgress)
	// Nobody from outside commits to a group with members.
	req := b.commitTo("g", "t", 9, 0, 9, nil)
	mustCode(t, "outside", ask[*kmsg.OffsetCommitResponse](c, req, 9).Topics[0].Partitions[0].ErrorCode, kerr.UnknownMemberID)
	if got, _ := b.fetch(c, "g", 9, true); len(got) != 1 || got[0].offset != 2 {
		t.Errorf("%+v", got)
	}
	// A group that does not exist has no generations.
	for version, want := range map[int16]*kerr.Error{8: kerr.IllegalGeneration, 9: kerr.GroupIDNotFound, 10: kerr.GroupIDNotFound} {
		req := b.commitTo("none", "t", version, 0, 1, nil)
		req.Generation, req.MemberID = 1, "m"
		mustCode(t, "unknown group", ask[*kmsg.OffsetCommitResponse](c, req, version).Topics[0].Partitions[0].ErrorCode, want)
	}
}
