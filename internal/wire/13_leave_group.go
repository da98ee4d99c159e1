package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// LeaveGroup: v0-5
//
// Behaviour:
//   - The others are asked to join again at once, instead of when the member's
//     session ends.
//
// Versions:
//   - v3: several members; an administrator names static ones by
//     group.instance.id alone (KIP-345)
//   - v5: the client's reason, for the log (KIP-800)
func (a *api) leaveGroup(_ *Request, req *kmsg.LeaveGroupRequest) Reply {
	p, reply := later()
	a.broker.Groups.Leave(req, func(resp *kmsg.LeaveGroupResponse) { p.Answer(resp) })
	return reply
}
