package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// AlterShareGroupOffsets: v0
//
// Behaviour (KIP-932):
//   - The group must have no members; one that does not exist is made. What had been
//     acquired, or accepted behind the new start, is forgotten: all from there on is
//     delivered.
//   - A start offset below the log's is the log's.
func (a *api) alterShareGroupOffsets(r *Request, req *kmsg.AlterShareGroupOffsetsRequest) Reply {
	return r.run(func() kmsg.Response { return a.broker.Shares.AlterOffsets(r.Ctx, req) })
}
