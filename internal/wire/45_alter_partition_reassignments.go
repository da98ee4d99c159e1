package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
)

// AlterPartitionReassignments: v0-1
//
// Behaviour:
//   - A partition may be assigned to where it is, to this node alone, which is
//     done at once. Other replicas are refused: INVALID_REPLICA_ASSIGNMENT.
//   - Nothing ever moves, so that there is nothing to cancel:
//     NO_REASSIGNMENT_IN_PROGRESS.
//
// Versions:
//   - v1: whether the number of replicas may change (KIP-860); it cannot
func (a *api) alterPartitionReassignments(r *Request, req *kmsg.AlterPartitionAssignmentsRequest) Reply {
	resp := req.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	if req.Version >= 1 {
		resp.AllowReplicationFactorChange = req.AllowReplicationFactorChange
	}
	s := a.broker.Catalog.Snapshot()
	for _, rt := range req.Topics {
		out := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		out.Topic = rt.Topic
		t := s.Topic(rt.Topic)
		for _, rp := range rt.Partitions {
			p := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			p.Partition = rp.Partition
			var err error
			if t == nil || rp.Partition < 0 || rp.Partition >= t.Partitions {
				err = noPartition(rt.Topic, rp.Partition)
			} else {
				err = a.reassign(rp.Replicas)
			}
			p.ErrorCode, p.ErrorMessage = a.code(r, err), explain(err)
			out.Partitions = append(out.Partitions, p)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return answer(resp)
}

// reassign says whether a partition may have these replicas; nil cancels.
func (a *api) reassign(replicas []int32) error {
	switch {
	case replicas == nil:
		return kerr.NoReassignmentInProgress
	case len(replicas) == 1 && replicas[0] == a.node.id:
		return nil
	case len(replicas) == 0:
		return catalog.Refuse(kerr.InvalidReplicaAssignment, "The replica list is empty; %d is the only broker.", a.node.id)
	}
	return catalog.Refuse(kerr.InvalidReplicaAssignment, "Replicas %d: broker %d is the only one here, and has each partition once.", replicas, a.node.id)
}

// noPartition is the refusal of a partition that does not exist.
func noPartition(topic string, index int32) error {
	return catalog.Refuse(kerr.UnknownTopicOrPartition, "There is no partition %d of a topic '%s' here.", index, topic)
}
