package wire

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
)

// DescribeTopicPartitions: v0 (KIP-966)
//
// Behaviour:
//   - Topics in order of name, no more than a page of partitions: the client's
//     limit, or max.request.partition.size.limit if that is less. The cursor of
//     an answer goes into the next request.
//   - No topics means all. A cursor that is not among the topics asked for, or
//     whose partition is negative, answers INVALID_REQUEST for each of them.
//   - A partition that is fenced for damage is as in Metadata: without a leader, its
//     replica offline, KAFKA_STORAGE_ERROR.
//   - No partition has eligible leader replicas: node 1 is the only one.
func (a *api) describeTopicPartitions(r *Request, req *kmsg.DescribeTopicPartitionsRequest) Reply {
	resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
	s := a.broker.Catalog.Snapshot()
	var names []string
	for _, t := range req.Topics {
		names = append(names, t.Topic)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if c := req.Cursor; c != nil && (c.Partition < 0 || len(names) > 0 && !slices.Contains(names, c.Topic)) {
		for _, name := range names {
			resp.Topics = append(resp.Topics, noSuchTopic(name, kerr.InvalidRequest.Code))
		}
		return answer(resp)
	}
	if len(names) == 0 {
		for _, t := range s.Topics() {
			names = append(names, t.Name)
		}
	}
	left := max(min(req.ResponsePartitionLimit, int32(s.Int("max.request.partition.size.limit"))), 1)
	for _, name := range names {
		var from int32
		if c := req.Cursor; c != nil {
			if name < c.Topic {
				continue
			}
			if name == c.Topic {
				from = c.Partition
			}
		}
		if left == 0 {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name, Partition: from}
			break
		}
		t := s.Topic(name)
		if t == nil {
			out := noSuchTopic(name, a.code(r, notThere(name, nil)))
			out.AuthorizedOperations = topicOperations // of what is not there, too
			resp.Topics = append(resp.Topics, out)
			continue
		}
		from = min(from, t.Partitions)
		to := from + min(left, t.Partitions-from)
		resp.Topics = append(resp.Topics, a.topicPartitions(t, from, to))
		left -= to - from
		if to < t.Partitions {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name, Partition: to}
			break
		}
	}
	return answer(resp)
}

func noSuchTopic(name string, code int16) kmsg.DescribeTopicPartitionsResponseTopic {
	t := kmsg.NewDescribeTopicPartitionsResponseTopic()
	t.Topic, t.ErrorCode = &name, code
	return t
}

func (a *api) topicPartitions(t *catalog.Topic, from, to int32) kmsg.DescribeTopicPartitionsResponseTopic {
	out := kmsg.NewDescribeTopicPartitionsResponseTopic()
	out.Topic, out.TopicID, out.IsInternal = &t.Name, t.ID, t.Internal()
	out.AuthorizedOperations = topicOperations
	self, none := []int32{a.node.id}, []int32{}
	for i := from; i < to; i++ {
		p := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		p.Partition, p.LeaderID, p.LeaderEpoch = i, a.node.id, a.broker.Epoch
		p.Replicas, p.ISR = self, self
		p.EligibleLeaderReplicas, p.LastKnownELR, p.OfflineReplicas = none, none, none
		if a.broker.Fenced(t.ID, i) {
			p.ErrorCode, p.LeaderID, p.ISR, p.OfflineReplicas = kerr.KafkaStorageError.Code, noLeader, none, self
		}
		out.Partitions = append(out.Partitions, p)
	}
	return out
}
