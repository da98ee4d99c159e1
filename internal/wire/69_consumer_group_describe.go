package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// ConsumerGroupDescribe: v0-1
//
// Behaviour (KIP-848):
//   - What the members have includes what they are still to give up.
//   - Groups of other types, and those that do not exist, are GROUP_ID_NOT_FOUND; the
//     empty id is INVALID_GROUP_ID.
//   - Authorized operations, if they are asked for, are all: there is no authorization.
//
// Versions:
//   - v1: which protocol a member uses (KIP-1099)
func (a *api) consumerGroupDescribe(_ *Request, req *kmsg.ConsumerGroupDescribeRequest) Reply {
	p, reply := later()
	a.broker.Groups.DescribeConsumers(req, func(resp *kmsg.ConsumerGroupDescribeResponse) {
		for i := range resp.Groups {
			if g := &resp.Groups[i]; req.IncludeAuthorizedOperations && g.ErrorCode == 0 {
				g.AuthorizedOperations = groupOperations
			}
		}
		p.Answer(resp)
	})
	return reply
}
