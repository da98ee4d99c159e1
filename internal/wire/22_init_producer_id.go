package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/txn"
)

// InitProducerId: v0-5 (KIP-98)
//
// Behaviour:
//   - Without a transactional id every call gets a new producer id with epoch 0,
//     also one that names an id it had (KIP-360), as Kafka does.
//   - With one: the next epoch, which fences whoever had the id before. An open
//     transaction is aborted first: CONCURRENT_TRANSACTIONS until then.
//   - A producer id without an epoch, an epoch without an id, and an empty
//     transactional id are INVALID_REQUEST.
//   - Producer ids are never given out twice: the number of the start is their
//     high part.
//
// Versions:
//   - v2: flexible
//   - v3: producer id and epoch of a client that goes on (KIP-360)
//   - v4: PRODUCER_FENCED; before, INVALID_PRODUCER_EPOCH. v5: TV2 (KIP-890)
func (a *api) initProducerID(r *Request, req *kmsg.InitProducerIDRequest) Reply {
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	if (req.ProducerID < 0) != (req.ProducerEpoch < 0) || req.TransactionalID != nil && *req.TransactionalID == "" {
		resp.ErrorCode = kerr.InvalidRequest.Code
		return answer(resp)
	}
	if req.TransactionalID == nil {
		id, err := a.broker.NextProducerID()
		if err != nil {
			resp.ErrorCode = a.code(r, err)
			return answer(resp)
		}
		resp.ProducerID, resp.ProducerEpoch = id, 0
		return answer(resp)
	}
	p, reply := later()
	a.broker.Txns.Init(req, func(got txn.InitAnswer) {
		resp.ErrorCode = fencedBefore(4, req.Version, got.Code)
		resp.ProducerID, resp.ProducerEpoch = got.ProducerID, got.Epoch
		p.Answer(resp)
	})
	return reply
}

// fencedBefore is a code as clients before a version know it: they have no
// PRODUCER_FENCED (KIP-588).
func fencedBefore(since, version, code int16) int16 {
	if version < since && code == kerr.ProducerFenced.Code {
		return kerr.InvalidProducerEpoch.Code
	}
	return code
}
