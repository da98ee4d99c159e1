package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// ListPartitionReassignments: v0
//
// Behaviour:
//   - None: nothing ever moves. Partitions that do not exist are left out, too.
func (a *api) listPartitionReassignments(_ *Request, req *kmsg.ListPartitionReassignmentsRequest) Reply {
	return answer(req.ResponseKind())
}
