package broker

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/group"
)

// When a group's coordinator cannot be used every request is answered, whole,
// with the error that makes clients try again.
func TestGroupsEveryRequestIsRefused(t *testing.T) {
	b := newGroupBed(t)
	b.groups.opt.CreateTopic = func(context.Context, string, int32, map[string]string) error { return kerr.KafkaStorageError }
	check := func(what string, codes ...int16) {
		t.Helper()
		if len(codes) == 0 {
			t.Errorf("%s: nothing is answered", what)
		}
		for _, code := range codes {
			if code != kerr.CoordinatorNotAvailable.Code {
				t.Errorf("%s: %v", what, kerr.ErrorForCode(code))
			}
		}
	}

	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.MemberID = "g", "m"
	j := answer(t, func(q *kmsg.JoinGroupRequest, done func(*kmsg.JoinGroupResponse)) {
		b.groups.Join(group.Client{}, q, done)
	}, join)
	check("join", j.ErrorCode)
	if j.MemberID != "m" || j.Generation != -1 {
		t.Errorf("%+v", j)
	}
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group = "g"
	check("sync", answer(t, b.groups.Sync, sync).ErrorCode)
	beat := kmsg.NewPtrHeartbeatRequest()
	beat.Group = "g"
	check("heartbeat", answer(t, b.groups.Heartbeat, beat).ErrorCode)
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = "g"
	check("leave", answer(t, b.groups.Leave, leave).ErrorCode)

	var codes []int16
	for _, topic := range answer(t, b.groups.Commit, commitRequest("g", -1, "", map[string]int64{"t/0": 1, "u/0": 1})).Topics {
		codes = append(codes, topic.Partitions[0].ErrorCode)
	}
	check("commit", codes...)
	check("fetch v9", answer(t, b.groups.Fetch, fetchAll("g")).Groups[0].ErrorCode)
	for version := int16(1); version <= 7; version++ {
		old := kmsg.NewPtrOffsetFetchRequest()
		old.Version, old.Group = version, "g"
		topic := kmsg.NewOffsetFetchRequestTopic()
		topic.Topic, topic.Partitions = "t", []int32{0, 1}
		old.Topics = append(old.Topics, topic)
		res := answer(t, b.groups.Fetch, old)
		// v1 knows the error of each partition only.
		check("fetch", res.ErrorCode, res.Topics[0].Partitions[0].ErrorCode, res.Topics[0].Partitions[1].ErrorCode)
	}
	forget := kmsg.NewPtrOffsetDeleteRequest()
	forget.Group = "g"
	check("delete offsets", answer(t, b.groups.DeleteOffsets, forget).ErrorCode)

	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Groups = []string{"g", "h"}
	d := answer(t, b.groups.Describe, describe)
	check("describe", d.Groups[0].ErrorCode, d.Groups[1].ErrorCode)
	if d.Groups[0].Group != "g" || d.Groups[1].Group != "h" {
		t.Errorf("%+v", d)
	}
	del := kmsg.NewPtrDeleteGroupsRequest()
	del.Groups = []string{"g", "h"}
	r := answer(t, b.groups.Delete, del)
	check("delete", r.Groups[0].ErrorCode, r.Groups[1].ErrorCode)

	// Nothing asked is answered, too.
	if n := len(answer(t, b.groups.Delete, kmsg.NewPtrDeleteGroupsRequest()).Groups); n != 0 {
		t.Errorf("%d answers to nothing", n)
	}
}
