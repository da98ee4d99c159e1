package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// AlterShareGroupOffsets: v0
//
// Behaviour (KIP-932):
//   - The group must exist and have no members. What its members had acquired, or
//     accepted behind the new start, is forgotten: all from there on is delivered.
//   - A start offset below the log's is the log's.
func (a *api) alterShareGroupOffsets(r *Request, req *kmsg.AlterShareGroupOffsetsRequest) Reply {
	return r.run(func() kmsg.Response { return a.broker.Shares.AlterOffsets(r.Ctx, req) })
}
