package wire

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A new member joins, whatever the version; from v4 on it is given an id first
// (KIP-394). Describe shows the client as Kafka writes it.
func TestJoinGroup(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	versions(t, 11, func(t *testing.T, version int16) {
		c.t = t
		group := "g" + t.Name()
		req := joinRequest(group, "")
		res := ask[*kmsg.JoinGroupResponse](c, req, version)
		if version >= 4 {
			mustCode(t, "first join", res.ErrorCode, kerr.MemberIDRequired)
			if !strings.HasPrefix(res.MemberID, "test-") || res.Generation != -1 {
				t.Errorf("%+v", res)
			}
			req.MemberID = res.MemberID
			res = ask[*kmsg.JoinGroupResponse](c, req, version)
		}
		mustCode(t, "join", res.ErrorCode, nil)
		if res.Generation != 1 || res.LeaderID != res.MemberID || deref(res.Protocol) != "range" || len(res.Members) != 1 ||
			version >= 7 && deref(res.ProtocolType) != "consumer" {
			t.Errorf("%+v", res)
		}
		d := kmsg.NewPtrDescribeGroupsRequest()
		d.Groups = []string{group}
		g := ask[*kmsg.DescribeGroupsResponse](c, d, 5).Groups[0]
		if len(g.Members) != 1 || g.State != "CompletingRebalance" || g.Members[0].ClientID != "test" || !strings.HasPrefix(g.Members[0].ClientHost, "/") {
			t.Errorf("%+v", g)
		}
	})
}

// Gotcha §9.10: a static member that restarts within its session gets its place
// back without a rebalance, and its former self is fenced (KIP-345, KIP-814).
func TestJoinGroupStatic(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	id := "worker-1"
	j := member(c, "g", &id)
	req := joinRequest("g", "")
	req.InstanceID = &id
	again := ask[*kmsg.JoinGroupResponse](c, req, 9)
	mustCode(t, "join", again.ErrorCode, nil)
	if again.Generation != j.Generation || again.MemberID == j.MemberID || !again.SkipAssignment {
		t.Errorf("%+v after %+v", again, j)
	}
	s := kmsg.NewPtrSyncGroupRequest()
	s.ProtocolType, s.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
	s.Group, s.MemberID, s.Generation, s.InstanceID = "g", again.MemberID, again.Generation, &id
	if res := ask[*kmsg.SyncGroupResponse](c, s, 5); res.ErrorCode != 0 || string(res.MemberAssignment) != "all" {
		t.Errorf("%+v", res)
	}
	h := kmsg.NewPtrHeartbeatRequest()
	h.Group, h.MemberID, h.Generation, h.InstanceID = "g", j.MemberID, j.Generation, &id
	mustCode(t, "the former self", ask[*kmsg.HeartbeatResponse](c, h, 4).ErrorCode, kerr.FencedInstanceID)
	h.MemberID = again.MemberID
	mustCode(t, "the new self", ask[*kmsg.HeartbeatResponse](c, h, 4).ErrorCode, nil)
}

func TestJoinGroupRefused(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	member(c, "g", nil)
	for what, q := range map[string]struct {
		change func(*kmsg.JoinGroupRequest)
		want   *kerr.Error
	}{
		"no group":          {func(r *kmsg.JoinGroupRequest) { r.Group = "" }, kerr.InvalidGroupID},
		"session too short": {func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 5999 }, kerr.InvalidSessionTimeout},
		"session too long":  {func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 1_800_001 }, kerr.InvalidSessionTimeout},
		"unknown member":    {func(r *kmsg.JoinGroupRequest) { r.MemberID = "nobody" }, kerr.UnknownMemberID},
		"another type":      {func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "connect" }, kerr.InconsistentGroupProtocol},
		"another protocol":  {func(r *kmsg.JoinGroupRequest) { r.Protocols[0].Name = "sticky" }, kerr.InconsistentGroupProtocol},
	} {
		req := joinRequest("g", "")
		q.change(req)
		mustCode(t, what, ask[*kmsg.JoinGroupResponse](c, req, 9).ErrorCode, q.want)
	}
}
