package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// ShareGroupDescribe: v1
//
// Behaviour (KIP-932):
//   - Groups of other types, and those that do not exist, are GROUP_ID_NOT_FOUND.
//   - Authorized operations are not told: there is no authorization.
func (a *api) shareGroupDescribe(_ *Request, req *kmsg.ShareGroupDescribeRequest) Reply {
	p, reply := later()
	a.broker.Groups.DescribeShares(req, func(resp *kmsg.ShareGroupDescribeResponse) { p.Answer(resp) })
	return reply
}
