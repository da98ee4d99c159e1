package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// DeleteGroups: v0-3
//
// Behaviour:
//   - Groups with members are NON_EMPTY_GROUP; what is deleted goes with its
//     offsets or, of a share group, with its places in partitions, all at once, and is
//     gone on disk when it is answered.
//
// Versions:
//   - v3: a message with each error
func (a *api) deleteGroups(_ *Request, req *kmsg.DeleteGroupsRequest) Reply {
	p, reply := later()
	a.broker.DeleteGroups(req, func(resp *kmsg.DeleteGroupsResponse) { p.Answer(resp) })
	return reply
}
