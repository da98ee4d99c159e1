package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/txn"
)

// EndTxn: v0-5 (KIP-98)
//
// Behaviour:
//   - The decision, its markers in all partitions and what it means for the offsets
//     of groups are on disk, and to be seen, when it is answered.
//   - A retry is answered as the first time. A producer that another one has fenced is
//     told so, also before that one has its epoch.
//
// Versions:
//   - v2: PRODUCER_FENCED; before, INVALID_PRODUCER_EPOCH
//   - v3: flexible; v4: TRANSACTION_ABORTABLE may come (KIP-890)
//   - v5: the epoch is bumped, and told (TV2, KIP-890); an empty transaction may be
//     aborted
func (a *api) endTxn(_ *Request, req *kmsg.EndTxnRequest) Reply {
	resp := req.ResponseKind().(*kmsg.EndTxnResponse)
	if req.TransactionalID == "" {
		resp.ErrorCode = kerr.InvalidRequest.Code
		return answer(resp)
	}
	p, reply := later()
	a.broker.Txns.End(req, func(got txn.EndAnswer) {
		resp.ErrorCode = fencedBefore(2, req.Version, got.Code)
		resp.ProducerID, resp.ProducerEpoch = got.ProducerID, got.Epoch
		p.Answer(resp)
	})
	return reply
}
