package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Before v3 a member leaves by itself; from then on several leave at once, and
// an administrator names static ones by instance id alone (KIP-345).
func TestLeaveGroup(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	versions(t, 13, func(t *testing.T, version int16) {
		c.t = t
		group, id := "g"+t.Name(), "worker-1"
		j := member(c, group, &id)
		req := kmsg.NewPtrLeaveGroupRequest()
		req.Group, req.MemberID = group, j.MemberID
		for _, name := range []string{"worker-1", "worker-2"} {
			m := kmsg.NewLeaveGroupRequestMember()
			m.InstanceID = &name
			m.Reason = kmsg.StringPtr("decommissioned")
			req.Members = append(req.Members, m)
		}
		res := ask[*kmsg.LeaveGroupResponse](c, req, version)
		mustCode(t, "leave", res.ErrorCode, nil)
		if version >= 3 {
			if len(res.Members) != 2 {
				t.Fatalf("%+v", res)
			}
			mustCode(t, "the member", res.Members[0].ErrorCode, nil)
			mustCode(t, "no member", res.Members[1].ErrorCode, kerr.UnknownMemberID)
			if deref(res.Members[0].InstanceID) != "worker-1" || deref(res.Members[1].InstanceID) != "worker-2" {
				t.Errorf("%+v", res.Members)
			}
		}
		mustCode(t, "heartbeat after it left", beat(c, group, j), kerr.UnknownMemberID)
		again := ask[*kmsg.LeaveGroupResponse](c, req, version)
		if version < 3 {
			mustCode(t, "leave again", again.ErrorCode, kerr.UnknownMemberID)
		} else {
			mustCode(t, "leave again", again.Members[0].ErrorCode, kerr.UnknownMemberID)
		}
	})
}
