package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A consumer group is described whole; a classic one, and none, is not found. To
// DescribeGroups it is the other way round, and ListGroups knows the types.
func TestConsumerGroupDescribe(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	joined := consumer(c, "new", "m")
	member(c, "old", nil)
	versions(t, 69, func(t *testing.T, version int16) {
		c.t = t
		req := kmsg.NewPtrConsumerGroupDescribeRequest()
		req.Groups, req.IncludeAuthorizedOperations = []string{"none", "new", "old", ""}, true
		res := ask[*kmsg.ConsumerGroupDescribeResponse](c, req, version)
		if len(res.Groups) != 4 {
			t.Fatalf("%+v", res)
		}
		mustCode(t, "none", res.Groups[0].ErrorCode, kerr.GroupIDNotFound)
		mustCode(t, "old", res.Groups[2].ErrorCode, kerr.GroupIDNotFound)
		mustCode(t, "no id", res.Groups[3].ErrorCode, kerr.InvalidGroupID)
		g := res.Groups[1]
		mustCode(t, "new", g.ErrorCode, nil)
		if g.Group != "new" || g.State != "Stable" || g.Epoch != joined.MemberEpoch || g.AssignmentEpoch != joined.MemberEpoch ||
			g.AssignorName != "uniform" || len(g.Members) != 1 || g.AuthorizedOperations != 3400 {
			t.Fatalf("%+v", g)
		}
		m := g.Members[0]
		if m.MemberID != "m" || m.MemberEpoch != joined.MemberEpoch || len(m.SubscribedTopics) != 1 || m.SubscribedTopics[0] != "t" ||
			len(m.Assignment.TopicPartitions) != 1 || m.Assignment.TopicPartitions[0].Topic != "t" || len(m.Assignment.TopicPartitions[0].Partitions) != 3 ||
			len(m.TargetAssignment.TopicPartitions) != 1 {
			t.Errorf("%+v", m)
		}
		if want := int8(1); version >= 1 && m.MemberType != want {
			t.Errorf("member type %d", m.MemberType)
		}
	})
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Groups = []string{"new"}
	if g := ask[*kmsg.DescribeGroupsResponse](c, describe, 6).Groups[0]; g.ErrorCode != kerr.GroupIDNotFound.Code || g.State != "Dead" {
		t.Errorf("to DescribeGroups it is %+v", g)
	}
	for filter, want := range map[string]string{"": "new=consumer old=classic ", "Consumer": "new=consumer ", "classic": "old=classic ", "share": ""} {
		list := kmsg.NewPtrListGroupsRequest()
		if filter != "" {
			list.TypesFilter = []string{filter}
		}
		got := ""
		for _, g := range ask[*kmsg.ListGroupsResponse](c, list, 5).Groups {
			got += g.Group + "=" + g.GroupType + " "
		}
		if got != want {
			t.Errorf("groups of type %q: %s, want %s", filter, got, want)
		}
	}
}
