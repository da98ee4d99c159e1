package differential

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// The first batch of a transaction in a partition that does not know the producer.
func TestFirstSequenceOfATransaction(t *testing.T) {
	compare(t, func(s *script) {
		name, id := s.topic("t", 1)
		for _, v := range []int16{9, 11, 12, 13} {
			txn := fmt.Sprintf("x%d-%s", v, s.run)
			s.transactional(txn)
			init := kmsg.NewPtrInitProducerIDRequest()
			init.TransactionalID, init.TransactionTimeoutMillis = &txn, 60_000
			producer := ask[*kmsg.InitProducerIDResponse](s.side, init, 4)
			if v < 12 {
				add := kmsg.NewPtrAddPartitionsToTxnRequest()
				add.TransactionalID, add.ProducerID, add.ProducerEpoch = txn, producer.ProducerID, producer.ProducerEpoch
				add.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: name, Partitions: []int32{0}}}
				ask[*kmsg.AddPartitionsToTxnResponse](s.side, add, 3)
			}
			b := s.batch(kafka.BatchSpec{Transactional: true, Producer: &kafka.ProducerSpec{ID: producer.ProducerID, Epoch: producer.ProducerEpoch, Sequence: 2}}, "a")
			req := produce(name, id, -1, b)
			req.TransactionID = &txn
			s.note(fmt.Sprintf("begins at 2 v%d", v), req, v)
		}
	})
}
