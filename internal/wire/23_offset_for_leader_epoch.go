package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetForLeaderEpoch: v2-4 (KIP-101, KIP-320)
//
// Behaviour:
//   - The end of the newest epoch is the high watermark.
//   - An epoch that wrote nothing here answers with the one before it; one that
//     has not been yet with -1, -1.
//
// Versions:
//   - v2: the client's current leader epoch is checked; v3: replica id; v4: flexible
func (a *api) offsetForLeaderEpoch(r *Request, req *kmsg.OffsetForLeaderEpochRequest) Reply {
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			rp.Partition, rp.LeaderEpoch, rp.EndOffset = p.Partition, -1, -1
			part, err := a.partition(false, t.Topic, [16]byte{}, p.Partition)
			if err == nil {
				err = a.checkEpoch(part, p.CurrentLeaderEpoch)
			}
			if err != nil {
				rp.ErrorCode = a.code(r, err)
			} else {
				rp.LeaderEpoch, rp.EndOffset = part.EpochEnd(p.LeaderEpoch, a.broker.Epoch)
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return answer(resp)
}
