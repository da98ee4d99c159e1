package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Gotcha: producer ids are never given out twice, over restarts and crashes; a
// transactional id keeps its own, with the next epoch each time.
func TestInitProducerID(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	seen := map[int64]bool{}
	id, epoch := int64(-1), int16(-1)
	for range 3 {
		c := b.dial()
		versions(t, 22, func(t *testing.T, version int16) {
			fresh := func(req *kmsg.InitProducerIDRequest) {
				resp := ask[*kmsg.InitProducerIDResponse](c, req, version)
				if resp.ErrorCode != 0 || resp.ProducerID < 0 || resp.ProducerEpoch != 0 || seen[resp.ProducerID] {
					t.Errorf("%+v, given out before: %v", resp, seen[resp.ProducerID])
				}
				seen[resp.ProducerID] = true
			}
			refused := func(req *kmsg.InitProducerIDRequest, want *kerr.Error) {
				resp := ask[*kmsg.InitProducerIDResponse](c, req, version)
				if resp.ErrorCode != want.Code || resp.ProducerID != -1 || resp.ProducerEpoch != -1 {
					t.Errorf("%+v, want %s", resp, want.Message)
				}
			}
			req := kmsg.NewPtrInitProducerIDRequest()
			fresh(req)
			if version >= 3 {
				req.ProducerID, req.ProducerEpoch = 5, 1 // KIP-360: without a transactional id a new one
				fresh(req)
				req.ProducerEpoch = -1
				refused(req, kerr.InvalidRequest)
				req.ProducerID, req.ProducerEpoch = -1, 2
				refused(req, kerr.InvalidRequest)
			}
			req = kmsg.NewPtrInitProducerIDRequest()
			req.TransactionalID = kmsg.StringPtr("")
			refused(req, kerr.InvalidRequest)
			req.TransactionalID = kmsg.StringPtr("x")
			refused(req, kerr.InvalidTransactionTimeout)
			req.TransactionTimeoutMillis = 900_001
			refused(req, kerr.InvalidTransactionTimeout)
			req.TransactionTimeoutMillis = 900_000
			resp := ask[*kmsg.InitProducerIDResponse](c, req, version)
			epoch++
			if resp.ErrorCode != 0 || resp.ProducerEpoch != epoch || epoch > 0 && resp.ProducerID != id {
				t.Errorf("%+v, want epoch %d of %d", resp, epoch, id)
			}
			id = resp.ProducerID
			seen[id] = true
		})
		b.kill()
	}
}
