package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AddOffsetsToTxn: v0-4 (KIP-98)
//
// Behaviour:
//   - Adds the partition of __consumer_offsets that holds the group to the
//     transaction; answered when that is on disk.
//
// Versions:
//   - v2: PRODUCER_FENCED; before, INVALID_PRODUCER_EPOCH
//   - v3: flexible; v4: TRANSACTION_ABORTABLE may come (KIP-890)
func (a *api) addOffsetsToTxn(_ *Request, req *kmsg.AddOffsetsToTxnRequest) Reply {
	resp := req.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
	if req.TransactionalID == "" {
		resp.ErrorCode = kerr.InvalidRequest.Code
		return answer(resp)
	}
	p, reply := later()
	a.broker.Txns.AddOffsets(req, func(code int16) {
		resp.ErrorCode = fencedBefore(2, req.Version, code)
		p.Answer(resp)
	})
	return reply
}
