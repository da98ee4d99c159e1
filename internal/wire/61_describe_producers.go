package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeProducers: v0 (KIP-664)
//
// Behaviour:
//   - The producers that a partition's log knows, with their open transactions:
//     idempotent ones, too, for as long as they are remembered.
func (a *api) describeProducers(_ *Request, req *kmsg.DescribeProducersRequest) Reply {
	resp := req.ResponseKind().(*kmsg.DescribeProducersResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewDescribeProducersResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewDescribeProducersResponseTopicPartition()
			rp.Partition = p
			if part := a.broker.Partition(t.Topic, p); part == nil {
				rp.ErrorCode = kerr.UnknownTopicOrPartition.Code
				rp.ErrorMessage = &kerr.UnknownTopicOrPartition.Description
			} else {
				for _, st := range part.Log.Producers() {
					ap := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
					ap.ProducerID, ap.ProducerEpoch, ap.LastSequence = st.ProducerID, int32(st.Epoch), st.LastSequence
					ap.LastTimestamp, ap.CoordinatorEpoch, ap.CurrentTxnStartOffset = st.LastTimestamp, st.CoordinatorEpoch, st.TxnStart
					rp.ActiveProducers = append(rp.ActiveProducers, ap)
				}
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return answer(resp)
}
