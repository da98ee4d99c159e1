package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Gotchas §9.1 and §4.2 5: a group that does not exist has offset -1 everywhere,
// without an error, and every partition that was asked for is answered.
func TestOffsetFetchUnknownGroup(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	versions(t, 9, func(t *testing.T, version int16) {
		c.t = t
		got, code := b.fetch(c, "none", version, false)
		mustCode(t, "fetch", code, nil)
		if len(got) != 3 {
			t.Fatalf("%d answers for 3 partitions: %+v", len(got), got)
		}
		for _, f := range got {
			if f.offset != -1 || f.code != 0 || f.metadata != "" {
				t.Errorf("%+v", f)
			}
		}
		if version >= 2 {
			got, code = b.fetch(c, "none", version, true)
			mustCode(t, "fetch of all", code, nil)
			if len(got) != 0 {
				t.Errorf("%+v", got)
			}
		}
	})
}

// From v8 on one request asks for several groups, some for all they have
// (KIP-709).
func TestOffsetFetchBatched(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	for g, o := range map[string]int64{"one": 1, "two": 2, "three": 3} {
		mustCode(t, "commit", ask[*kmsg.OffsetCommitResponse](c, b.commitTo(g, "t", 9, 0, o, nil), 9).Topics[0].Partitions[0].ErrorCode, nil)
	}
	ids := b.broker.Catalog.Snapshot().Topic("t").ID
	for version := int16(8); version <= 10; version++ {
		req := kmsg.NewPtrOffsetFetchRequest()
		req.RequireStable = true
		for _, name := range []string{"two", "none", "one", "three"} {
			g := kmsg.NewOffsetFetchRequestGroup()
			g.Group = name
			if name == "one" {
				gt := kmsg.NewOffsetFetchRequestGroupTopic()
				gt.Topic, gt.TopicID, gt.Partitions = "t", ids, []int32{2, 0}
				g.Topics = append(g.Topics, gt)
				if version >= 10 {
					gt.TopicID = [16]byte{9}
					g.Topics = append(g.Topics, gt)
				}
			}
			req.Groups = append(req.Groups, g)
		}
		res := ask[*kmsg.OffsetFetchResponse](c, req, version)
		if len(res.Groups) != 4 {
			t.Fatalf("v%d: %+v", version, res)
		}
		for i, want := range []string{"two", "none", "one", "three"} {
			if res.Groups[i].Group != want || res.Groups[i].ErrorCode != 0 {
				t.Errorf("v%d: group %d is %+v, want %s", version, i, res.Groups[i], want)
			}
		}
		if p := res.Groups[0].Topics[0].Partitions; len(p) != 1 || p[0].Offset != 2 || p[0].LeaderEpoch != 1 {
			t.Errorf("v%d: two has %+v", version, p)
		}
		if len(res.Groups[1].Topics) != 0 {
			t.Errorf("v%d: none has %+v", version, res.Groups[1])
		}
		if p := res.Groups[2].Topics[0].Partitions; len(p) != 2 || p[0].Partition != 2 || p[0].Offset != -1 || p[1].Partition != 0 || p[1].Offset != 1 {
			t.Errorf("v%d: one has %+v", version, p)
		}
		if version >= 10 {
			gone := res.Groups[2].Topics[1]
			if gone.TopicID != [16]byte{9} || len(gone.Partitions) != 2 {
				t.Errorf("v10: %+v", gone)
			}
			for _, p := range gone.Partitions {
				mustCode(t, "a topic id that does not exist", p.ErrorCode, kerr.UnknownTopicID)
			}
		}
	}
}

// A member that the group does not know is told so, and nothing of the topics, also of
// those that do not exist.
func TestOffsetFetchOfAStranger(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	consumer(c, "g", "m")
	for version := int16(9); version <= 10; version++ {
		req := kmsg.NewPtrOffsetFetchRequest()
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group, g.MemberID, g.MemberEpoch = "g", kmsg.StringPtr("stranger"), 1
		gt := kmsg.NewOffsetFetchRequestGroupTopic()
		gt.Topic, gt.TopicID, gt.Partitions = "none", [16]byte{9}, []int32{0}
		g.Topics = append(g.Topics, gt)
		req.Groups = append(req.Groups, g)
		got := ask[*kmsg.OffsetFetchResponse](c, req, version).Groups[0]
		mustCode(t, "a stranger", got.ErrorCode, kerr.UnknownMemberID)
		if len(got.Topics) != 0 {
			t.Errorf("v%d: %+v", version, got.Topics)
		}
	}
}
