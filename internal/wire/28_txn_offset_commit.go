package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TxnOffsetCommit: v0-6 (KIP-98)
//
// Behaviour:
//   - The offsets count when the transaction is committed; until then OffsetFetch
//     with RequireStable says UNSTABLE_OFFSET_COMMIT. Answered when they are on disk.
//   - A producer that names its consumer's member and generation is fenced with that
//     one (KIP-447).
//
// Versions:
//   - v2: leader epochs; v3: member and generation, flexible
//   - v5: without AddOffsetsToTxn before it (KIP-890)
//   - v6: topic ids instead of names, UNKNOWN_TOPIC_ID
func (a *api) txnOffsetCommit(_ *Request, req *kmsg.TxnOffsetCommitRequest) Reply {
	if req.TransactionalID == "" || req.Group == "" {
		resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
		code := kerr.InvalidRequest.Code
		if req.TransactionalID != "" {
			code = kerr.InvalidGroupID.Code
		}
		for _, t := range req.Topics {
			rt := kmsg.NewTxnOffsetCommitResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewTxnOffsetCommitResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return answer(resp)
	}
	p, reply := later()
	a.broker.Txns.CommitOffsets(req, func(resp *kmsg.TxnOffsetCommitResponse) { p.Answer(resp) })
	return reply
}
