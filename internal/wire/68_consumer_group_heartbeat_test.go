package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func consumerRequest(group, member string, epoch int32) *kmsg.ConsumerGroupHeartbeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = group, member, epoch, -1
	if epoch == 0 {
		req.RebalanceTimeoutMillis = 60_000
		req.SubscribedTopicNames = []string{"t"}
		req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	}
	return req
}

// consumer joins a consumer group as its only member.
func consumer(c *client, group, member string) *kmsg.ConsumerGroupHeartbeatResponse {
	c.t.Helper()
	res := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerRequest(group, member, 0), 1)
	mustCode(c.t, "join", res.ErrorCode, nil)
	return res
}

// A member joins, is kept alive, and leaves, in every version; what it may not do is
// told by code and words.
func TestConsumerGroupHeartbeat(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	id := b.broker.Catalog.Snapshot().Topic("t").ID
	versions(t, 68, func(t *testing.T, version int16) {
		c.t = t
		send := func(req *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
			return ask[*kmsg.ConsumerGroupHeartbeatResponse](c, req, version)
		}
		join := consumerRequest("g", "m", 0)
		if version == 0 {
			join.MemberID = "" // the broker makes one
		}
		res := send(join)
		mustCode(t, "join", res.ErrorCode, nil)
		if res.MemberID == nil || *res.MemberID == "" || res.MemberEpoch < 1 || res.HeartbeatIntervalMillis != 20 {
			t.Fatalf("join: %+v", res)
		}
		if a := res.Assignment; a == nil || len(a.Topics) != 1 || a.Topics[0].TopicID != id || len(a.Topics[0].Partitions) != 3 {
			t.Fatalf("assignment: %+v", a)
		}
		me, epoch := *res.MemberID, res.MemberEpoch
		res = send(consumerRequest("g", me, epoch))
		mustCode(t, "beat", res.ErrorCode, nil)
		if res.Assignment != nil || res.MemberEpoch != epoch {
			t.Errorf("nothing is new, but: %+v", res)
		}
		for what, q := range map[string]struct {
			req  *kmsg.ConsumerGroupHeartbeatRequest
			want *kerr.Error
		}{
			"a later epoch":   {consumerRequest("g", me, epoch+1), kerr.FencedMemberEpoch},
			"another member":  {consumerRequest("g", "nobody", epoch), kerr.UnknownMemberID},
			"another group":   {consumerRequest("none", me, epoch), kerr.GroupIDNotFound},
			"no group":        {consumerRequest("", me, epoch), kerr.InvalidRequest},
			"no member":       {consumerRequest("g", "", epoch), kerr.InvalidRequest},
			"no such epoch":   {consumerRequest("g", me, -3), kerr.InvalidRequest},
			"static, unnamed": {consumerRequest("g", me, -2), kerr.InvalidRequest},
		} {
			res := send(q.req)
			mustCode(t, what, res.ErrorCode, q.want)
			if res.ErrorMessage == nil || *res.ErrorMessage == "" {
				t.Errorf("%s: no message", what)
			}
		}
		wish := consumerRequest("g", me, epoch)
		wish.ServerAssignor = kmsg.StringPtr("best")
		mustCode(t, "assignor", send(wish).ErrorCode, kerr.UnsupportedAssignor)
		if version >= 1 {
			regex := consumerRequest("g", me, epoch)
			regex.SubscribedTopicRegex = kmsg.StringPtr("(")
			mustCode(t, "regex", send(regex).ErrorCode, kerr.InvalidRegularExpression)
		}
		res = send(consumerRequest("g", me, -1))
		mustCode(t, "leave", res.ErrorCode, nil)
		if res.MemberEpoch != -1 {
			t.Errorf("leave: %+v", res)
		}
		mustCode(t, "gone", send(consumerRequest("g", me, epoch)).ErrorCode, kerr.UnknownMemberID)
	})
}

// A broker that is killed goes on with the members and epochs that it had.
func TestConsumerGroupOverAKill(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	joined := consumer(c, "g", "m")
	b.kill(t)
	c = b.dial()
	res := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerRequest("g", "m", joined.MemberEpoch), 1)
	mustCode(t, "beat", res.ErrorCode, nil)
	if res.MemberEpoch != joined.MemberEpoch || res.Assignment != nil {
		t.Errorf("%+v, joined as %+v", res, joined)
	}
}

// Commits and fetches of a member carry its epoch.
func TestConsumerGroupOffsets(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	joined := consumer(c, "g", "m")
	id := b.broker.Catalog.Snapshot().Topic("t").ID
	commit := func(member string, epoch int32, version int16) int16 {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.MemberID, req.Generation = "g", member, epoch
		req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", TopicID: id, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Partition: 1, Offset: 7, LeaderEpoch: -1}}}}
		return ask[*kmsg.OffsetCommitResponse](c, req, version).Topics[0].Partitions[0].ErrorCode
	}
	mustCode(t, "its own", commit("m", joined.MemberEpoch, 10), nil)
	mustCode(t, "its own, v9", commit("m", joined.MemberEpoch, 9), nil)
	mustCode(t, "an old client", commit("m", joined.MemberEpoch, 8), kerr.UnsupportedVersion)
	mustCode(t, "another epoch", commit("m", joined.MemberEpoch+1, 10), kerr.StaleMemberEpoch)
	mustCode(t, "another member", commit("n", joined.MemberEpoch, 10), kerr.UnknownMemberID)
	mustCode(t, "nobody", commit("", -1, 10), kerr.UnknownMemberID)
	fetch := func(member *string, epoch int32) (int16, int64) {
		req := kmsg.NewPtrOffsetFetchRequest()
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group, g.MemberID, g.MemberEpoch = "g", member, epoch
		g.Topics = []kmsg.OffsetFetchRequestGroupTopic{{TopicID: id, Partitions: []int32{1}}}
		req.Groups = append(req.Groups, g)
		res := ask[*kmsg.OffsetFetchResponse](c, req, 10).Groups[0]
		if len(res.Topics) == 0 {
			return res.ErrorCode, -1
		}
		return res.ErrorCode, res.Topics[0].Partitions[0].Offset
	}
	for what, q := range map[string]struct {
		member *string
		epoch  int32
		want   *kerr.Error
	}{
		"its own":        {kmsg.StringPtr("m"), joined.MemberEpoch, nil},
		"an admin":       {nil, -1, nil},
		"another epoch":  {kmsg.StringPtr("m"), joined.MemberEpoch - 1, kerr.StaleMemberEpoch},
		"another member": {kmsg.StringPtr("n"), joined.MemberEpoch, kerr.UnknownMemberID},
	} {
		code, offset := fetch(q.member, q.epoch)
		mustCode(t, what, code, q.want)
		if (code == 0) != (offset == 7) {
			t.Errorf("%s: offset %d", what, offset)
		}
	}
}
