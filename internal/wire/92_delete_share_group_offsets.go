package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// DeleteShareGroupOffsets: v0
//
// Behaviour (KIP-932):
//   - The group must exist and have no members. It begins anew in the topics, where
//     share.auto.offset.reset says.
//   - Topics that the group has not read are UNKNOWN_TOPIC_OR_PARTITION.
func (a *api) deleteShareGroupOffsets(r *Request, req *kmsg.DeleteShareGroupOffsetsRequest) Reply {
	return r.run(func() kmsg.Response { return a.broker.Shares.DeleteOffsets(req) })
}
