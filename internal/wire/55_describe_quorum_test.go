package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestDescribeQuorum(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	c := b.dial()
	b.makeTopics(c, "a")
	before := b.broker.CatalogEnd()
	if before == 0 {
		t.Fatal("the catalogue is empty after a topic was made")
	}
	ask55 := func(version int16, topic string, partitions ...int32) *kmsg.DescribeQuorumResponse {
		rt := kmsg.NewDescribeQuorumRequestTopic()
		rt.Topic = topic
		for _, p := range partitions {
			rt.Partitions = append(rt.Partitions, kmsg.DescribeQuorumRequestTopicPartition{Partition: p})
		}
		req := kmsg.NewPtrDescribeQuorumRequest()
		req.Topics = append(req.Topics, rt)
		return ask[*kmsg.DescribeQuorumResponse](c, req, version)
	}
	versions(t, 55, func(t *testing.T, version int16) {
		resp := ask55(version, "__cluster_metadata", 0)
		if resp.ErrorCode != 0 || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
			t.Fatalf("%+v", resp)
		}
		p := resp.Topics[0].Partitions[0]
		if p.ErrorCode != 0 || p.LeaderID != 1 || p.LeaderEpoch != b.broker.Epoch || p.HighWatermark != before || len(p.CurrentVoters) != 1 || len(p.Observers) != 0 {
			t.Fatalf("%+v", p)
		}
		if v := p.CurrentVoters[0]; v.ReplicaID != 1 || v.LogEndOffset != before || version >= 1 && v.LastCaughtUpTimestamp <= 0 {
			t.Errorf("%+v", v)
		}
		if version >= 2 && (len(resp.Nodes) != 1 || resp.Nodes[0].NodeID != 1 || len(resp.Nodes[0].Listeners) != 1 || resp.Nodes[0].Listeners[0].Port != 9092) {
			t.Errorf("%+v", resp.Nodes)
		}
		for what, resp := range map[string]*kmsg.DescribeQuorumResponse{
			"another partition": ask55(version, "__cluster_metadata", 1), "another topic": ask55(version, "a", 0), "more than it": ask55(version, "__cluster_metadata", 0, 1),
		} {
			for _, p := range resp.Topics[0].Partitions {
				if says(p.ErrorCode, nil) != "UNKNOWN_TOPIC_OR_PARTITION" || len(p.CurrentVoters) != 0 {
					t.Errorf("%s: %+v", what, p)
				}
			}
			if len(resp.Nodes) != 0 {
				t.Errorf("%s: %+v", what, resp.Nodes)
			}
		}
	})
	b.makeTopics(c, "b")
	if got := ask55(2, "__cluster_metadata", 0).Topics[0].Partitions[0].HighWatermark; got <= before {
		t.Errorf("another topic, and the end is %d, as %d before", got, before)
	}
}
