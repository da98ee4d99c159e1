package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/plog"
)

// DeleteRecords: v0-2 (KIP-107)
//
// Behaviour:
//   - -1 is the high watermark; above it is OFFSET_OUT_OF_RANGE.
//   - The new log start is durable before the answer, and before any segment goes.
//   - A topic that is only compacted refuses it with POLICY_VIOLATION, as Kafka
//     does; one without any policy does not.
//
// Versions:
//   - v2: flexible
func (a *api) deleteRecords(r *Request, req *kmsg.DeleteRecordsRequest) Reply {
	resp := req.ResponseKind().(*kmsg.DeleteRecordsResponse)
	var pos plog.Pos
	for _, t := range req.Topics {
		rt := kmsg.NewDeleteRecordsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewDeleteRecordsResponseTopicPartition()
			rp.Partition, rp.LowWatermark = p.Partition, -1
			low, at, err := a.deleteBefore(t.Topic, p.Partition, p.Offset)
			if err != nil {
				rp.ErrorCode = a.code(r, err)
			} else {
				rp.LowWatermark = low
				pos = max(pos, at)
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	p, reply := later()
	a.broker.Store.WhenDurable(pos, func(err error) {
		if err != nil {
			for i := range resp.Topics {
				for j := range resp.Topics[i].Partitions {
					if rp := &resp.Topics[i].Partitions[j]; rp.ErrorCode == 0 {
						rp.ErrorCode, rp.LowWatermark = a.code(r, err), -1
					}
				}
			}
		}
		p.Answer(resp)
	})
	return reply
}

func (a *api) deleteBefore(topic string, index int32, offset int64) (low int64, pos plog.Pos, err error) {
	part, err := a.partition(false, topic, [16]byte{}, index)
	switch {
	case err != nil:
		return 0, 0, err
	case catalog.InternalTopic(topic):
		return 0, 0, kerr.InvalidTopicException
	case part.View().Log.Compact && !part.View().Log.Delete:
		return 0, 0, kerr.PolicyViolation
	}
	hw := part.Log.HighWatermark()
	if offset == -1 {
		offset = hw
	}
	if offset < 0 || offset > hw {
		return 0, 0, kerr.OffsetOutOfRange
	}
	offset = max(offset, part.Log.Start())
	release := a.broker.Store.AwaitReserve(0)
	defer release()
	_, pos, err = a.broker.Store.Submit(plog.SetStart(part.Log, offset))
	return offset, pos, err
}
