package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
)

// WriteTxnMarkers: v1-2 (KIP-98)
//
// Behaviour:
//   - Ends a producer's transaction in single partitions, whatever the coordinator
//     says: what `kafka-transactions.sh abort` does about one that hangs (KIP-664).
//     Decisions of this broker's coordinator do not come this way.
//   - Answered when all markers are on disk. The first one in a directory makes its
//     checkpoints of the version that programs without transactions do not take.
//
// Versions:
//   - v1: flexible; v2: the transaction's version, whose epoch rule is the same here
func (a *api) writeTxnMarkers(r *Request, req *kmsg.WriteTxnMarkersRequest) Reply {
	resp := req.ResponseKind().(*kmsg.WriteTxnMarkersResponse)
	var pos plog.Pos
	for _, m := range req.Markers {
		rm := kmsg.NewWriteTxnMarkersResponseMarker()
		rm.ProducerID = m.ProducerID
		marker := kafka.Marker{ProducerID: m.ProducerID, Epoch: m.ProducerEpoch, Commit: m.Committed, CoordinatorEpoch: m.CoordinatorEpoch}
		for _, t := range m.Topics {
			rt := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewWriteTxnMarkersResponseMarkerTopicPartition()
				rp.Partition = p
				if part := a.broker.Partition(t.Topic, p); part == nil {
					rp.ErrorCode = kerr.UnknownTopicOrPartition.Code
				} else {
					at, err := a.broker.Txns.WriteMarker(part, marker)
					pos, rp.ErrorCode = max(pos, at), a.code(r, err)
				}
				rt.Partitions = append(rt.Partitions, rp)
			}
			rm.Topics = append(rm.Topics, rt)
		}
		resp.Markers = append(resp.Markers, rm)
	}
	p, reply := later()
	a.broker.Store.WhenDurable(pos, func(err error) {
		for i := range resp.Markers {
			for j := range resp.Markers[i].Topics {
				for k := range resp.Markers[i].Topics[j].Partitions {
					if rp := &resp.Markers[i].Topics[j].Partitions[k]; err != nil && rp.ErrorCode == 0 {
						rp.ErrorCode = a.code(r, err)
					}
				}
			}
		}
		p.Answer(resp)
	})
	return reply
}
