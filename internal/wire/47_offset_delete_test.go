package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Offsets of topics that a member reads stay (KIP-496); the others go, and each
// partition is answered.
func TestOffsetDelete(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	ask[*kmsg.OffsetCommitResponse](c, b.commitTo("g", "t", 9, 1, 1, nil), 9)
	ask[*kmsg.OffsetCommitResponse](c, b.commitTo("g", "u", 9, 0, 2, nil), 9)
	j := member(c, "g", nil) // reads t
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group = "g"
	for _, topic := range []string{"t", "none", "u"} {
		rt := kmsg.NewOffsetDeleteRequestTopic()
		rt.Topic = topic
		for p := range int32(2) {
			rp := kmsg.NewOffsetDeleteRequestTopicPartition()
			rp.Partition = p
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
	}
	check := func(ofT *kerr.Error) {
		t.Helper()
		res := ask[*kmsg.OffsetDeleteResponse](c, req, 0)
		mustCode(t, "delete", res.ErrorCode, nil)
		// u has one partition.
		for i, want := range [][]*kerr.Error{{ofT, ofT}, {kerr.UnknownTopicOrPartition, kerr.UnknownTopicOrPartition}, {nil, kerr.UnknownTopicOrPartition}} {
			if res.Topics[i].Topic != req.Topics[i].Topic || len(res.Topics[i].Partitions) != 2 {
				t.Fatalf("%+v", res.Topics[i])
			}
			for p := range res.Topics[i].Partitions {
				mustCode(t, res.Topics[i].Topic, res.Topics[i].Partitions[p].ErrorCode, want[p])
			}
		}
	}
	check(kerr.GroupSubscribedToTopic)
	if got, _ := b.fetch(c, "g", 9, true); len(got) != 1 || got[0].topic != "t" {
		t.Errorf("%+v", got)
	}
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group, leave.MemberID = "g", j.MemberID
	mustCode(t, "leave", ask[*kmsg.LeaveGroupResponse](c, leave, 2).ErrorCode, nil)
	check(nil)
	if got, _ := b.fetch(c, "g", 9, true); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	req.Group = "none"
	mustCode(t, "no group", ask[*kmsg.OffsetDeleteResponse](c, req, 0).ErrorCode, kerr.GroupIDNotFound)
}
