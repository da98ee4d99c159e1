package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// ListGroups: v0-5
//
// Versions:
//   - v4: a filter by states, and states in the answer (KIP-518)
//   - v5: a filter by types, and types in the answer (KIP-848); all are classic
func (a *api) listGroups(_ *Request, req *kmsg.ListGroupsRequest) Reply {
	p, reply := later()
	a.broker.Groups.List(req, func(resp *kmsg.ListGroupsResponse) { p.Answer(resp) })
	return reply
}
