package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// SyncGroup: v0-5
//
// Behaviour:
//   - Answered when the leader's assignment is on disk.
//   - Members that do not ask for their assignment within the rebalance time-out
//     are removed.
//
// Versions:
//   - v3: group.instance.id (KIP-345)
//   - v5: protocol type and name, which must be the group's (KIP-559)
func (a *api) syncGroup(r *Request, req *kmsg.SyncGroupRequest) Reply {
	p, reply := later()
	give := untilGone(r, p, func() kmsg.Response {
		resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
		resp.ErrorCode = kerr.CoordinatorNotAvailable.Code
		return resp
	})
	a.broker.Groups.Sync(req, func(resp *kmsg.SyncGroupResponse) { give(resp) })
	return reply
}
