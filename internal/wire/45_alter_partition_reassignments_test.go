package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A partition can be assigned to where it is, and to nowhere else.
func TestReassignments(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	c := b.dial()
	b.makeTopics(c, "a")
	versions(t, 45, func(t *testing.T, version int16) {
		for _, x := range []struct {
			topic     string
			partition int32
			replicas  []int32
			want      string
		}{
			{"a", 0, []int32{1}, "ok"},
			{"a", 0, nil, "NO_REASSIGNMENT_IN_PROGRESS"},
			{"a", 0, []int32{}, "INVALID_REPLICA_ASSIGNMENT"},
			{"a", 0, []int32{2}, "INVALID_REPLICA_ASSIGNMENT"},
			{"a", 0, []int32{1, 2}, "INVALID_REPLICA_ASSIGNMENT"},
			{"a", 0, []int32{1, 1}, "INVALID_REPLICA_ASSIGNMENT"},
			{"a", 1, []int32{1}, "UNKNOWN_TOPIC_OR_PARTITION"},
			{"a", -1, []int32{1}, "UNKNOWN_TOPIC_OR_PARTITION"},
			{"nosuch", 0, []int32{1}, "UNKNOWN_TOPIC_OR_PARTITION"},
		} {
			req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
			req.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: x.topic, Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Partition: x.partition, Replicas: x.replicas}}}}
			resp := ask[*kmsg.AlterPartitionAssignmentsResponse](c, req, version)
			if resp.ErrorCode != 0 || len(resp.Topics) != 1 || resp.Topics[0].Topic != x.topic || len(resp.Topics[0].Partitions) != 1 || resp.Topics[0].Partitions[0].Partition != x.partition {
				t.Fatalf("%s/%d: %+v", x.topic, x.partition, resp)
			}
			if got := says(resp.Topics[0].Partitions[0].ErrorCode, nil); got != x.want {
				t.Errorf("%s/%d to %v: %s, want %s", x.topic, x.partition, x.replicas, got, x.want)
			}
		}
	})
	versions(t, 46, func(t *testing.T, version int16) {
		resp := ask[*kmsg.ListPartitionReassignmentsResponse](c, kmsg.NewPtrListPartitionReassignmentsRequest(), version)
		if resp.ErrorCode != 0 || len(resp.Topics) != 0 {
			t.Errorf("%+v", resp)
		}
	})
}
