package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// ConsumerGroupDescribe: v0-1
//
// Behaviour (KIP-848):
//   - What the members have includes what they are still to give up.
//   - Groups of other types, and those that do not exist, are GROUP_ID_NOT_FOUND.
//   - Authorized operations are not told: there is no authorization.
//
// Versions:
//   - v1: which protocol a member uses (KIP-1099)
func (a *api) consumerGroupDescribe(_ *Request, req *kmsg.ConsumerGroupDescribeRequest) Reply {
	p, reply := later()
	a.broker.Groups.DescribeConsumers(req, func(resp *kmsg.ConsumerGroupDescribeResponse) { p.Answer(resp) })
	return reply
}
