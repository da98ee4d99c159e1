package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// ShareGroupDescribe: v1
//
// Behaviour (KIP-932):
//   - Groups of other types, and those that do not exist, are GROUP_ID_NOT_FOUND; the
//     empty id is INVALID_GROUP_ID.
//   - Authorized operations, if they are asked for, are all: there is no authorization.
func (a *api) shareGroupDescribe(_ *Request, req *kmsg.ShareGroupDescribeRequest) Reply {
	p, reply := later()
	a.broker.Groups.DescribeShares(req, func(resp *kmsg.ShareGroupDescribeResponse) {
		for i := range resp.Groups {
			if g := &resp.Groups[i]; req.IncludeAuthorizedOperations && g.ErrorCode == 0 {
				g.AuthorizedOperations = groupOperations
			}
		}
		p.Answer(resp)
	})
	return reply
}
