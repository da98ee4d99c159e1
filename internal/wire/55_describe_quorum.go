package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// quorumTopic is what Kafka calls the log of its metadata. Leat's catalogue is a
// log, too, though none that can be fetched.
const quorumTopic = "__cluster_metadata"

// DescribeQuorum: v0-2
//
// Behaviour:
//   - The quorum is this node: leader and only voter of the catalogue's log, whose
//     end is durable. Its epoch is the number of this start.
//   - Anything else in the request than that one partition gets
//     UNKNOWN_TOPIC_OR_PARTITION for all of it, as in Kafka.
//
// Versions:
//   - v1: when a voter fetched last; the leader itself did now (KIP-836)
//   - v2: error messages, the voters' listeners (KIP-853): that of the client, as
//     there is none for controllers
func (a *api) describeQuorum(r *Request, req *kmsg.DescribeQuorumRequest) Reply {
	resp := req.ResponseKind().(*kmsg.DescribeQuorumResponse)
	known := len(req.Topics) == 1 && req.Topics[0].Topic == quorumTopic &&
		len(req.Topics[0].Partitions) == 1 && req.Topics[0].Partitions[0].Partition == 0
	for _, rt := range req.Topics {
		out := kmsg.NewDescribeQuorumResponseTopic()
		out.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			p := kmsg.NewDescribeQuorumResponseTopicPartition()
			p.Partition = rp.Partition
			if known {
				a.quorum(&p)
			} else {
				p.ErrorCode, p.ErrorMessage = kerr.UnknownTopicOrPartition.Code, &kerr.UnknownTopicOrPartition.Description
			}
			out.Partitions = append(out.Partitions, p)
		}
		resp.Topics = append(resp.Topics, out)
	}
	if known {
		l := kmsg.NewDescribeQuorumResponseNodeListener()
		host, port := r.Peer.Listener.Advertised()
		l.Name, l.Host, l.Port = r.Peer.Listener.Name, host, uint16(port)
		n := kmsg.NewDescribeQuorumResponseNode()
		n.NodeID, n.Listeners = a.node.id, append(n.Listeners, l)
		resp.Nodes = append(resp.Nodes, n)
	}
	return answer(resp)
}

// quorum describes the catalogue's log.
func (a *api) quorum(p *kmsg.DescribeQuorumResponseTopicPartition) {
	p.LeaderID, p.LeaderEpoch, p.HighWatermark = a.node.id, a.broker.Epoch, a.broker.CatalogEnd()
	v := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
	now := a.broker.Now().UnixMilli()
	v.ReplicaID, v.LogEndOffset, v.LastFetchTimestamp, v.LastCaughtUpTimestamp = a.node.id, p.HighWatermark, now, now
	p.CurrentVoters = append(p.CurrentVoters, v)
}
