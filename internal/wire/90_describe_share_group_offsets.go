package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// DescribeShareGroupOffsets: v0-1
//
// Behaviour (KIP-932):
//   - The start offset is where unfinished records begin; -1 for a partition that the
//     group has not begun to read.
//   - Without topics all partitions are told that the group has begun to read.
//
// Versions:
//   - v1: the lag (KIP-1226): records from the start offset on that are neither
//     accepted nor given up
func (a *api) describeShareGroupOffsets(r *Request, req *kmsg.DescribeShareGroupOffsetsRequest) Reply {
	return r.run(func() kmsg.Response { return a.broker.Shares.DescribeOffsets(req) })
}
