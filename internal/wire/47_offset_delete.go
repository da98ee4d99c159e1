package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// OffsetDelete: v0
//
// Behaviour:
//   - Topics that a member reads are GROUP_SUBSCRIBED_TO_TOPIC; a group whose
//     members are not consumers is NON_EMPTY_GROUP (KIP-496).
func (a *api) offsetDelete(_ *Request, req *kmsg.OffsetDeleteRequest) Reply {
	p, reply := later()
	a.broker.Groups.DeleteOffsets(req, func(resp *kmsg.OffsetDeleteResponse) { p.Answer(resp) })
	return reply
}
