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

// Offsets that are refused, in the version that adds their group by itself.
func TestRefusedOffsetsOfATransaction(t *testing.T) {
	compare(t, func(s *script) {
		name, _ := s.topic("t", 1)
		txn, group := "x-"+s.run, "g-"+s.run
		(&world{script: s}).coordinated(group)
		s.transactional(txn)
		init := kmsg.NewPtrInitProducerIDRequest()
		init.TransactionalID, init.TransactionTimeoutMillis = &txn, 60_000
		producer := ask[*kmsg.InitProducerIDResponse](s.side, init, 4)
		commit := kmsg.NewPtrTxnOffsetCommitRequest()
		commit.TransactionalID, commit.ProducerID, commit.ProducerEpoch, commit.Group = txn, producer.ProducerID, producer.ProducerEpoch, group
		commit.Generation, commit.MemberID = 7, "somebody"
		rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		rp.Offset = 3
		commit.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: name, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{rp}}}
		s.note("of a wrong member", commit, 5)
		commit.Generation, commit.MemberID = -1, ""
		s.note("after it, without adding them", commit, 3)
	})
}

// A batch that comes again when its transaction has ended and its producer has another epoch, which the
// partition does not know.
func TestRepeatOfAnEndedTransaction(t *testing.T) {
	compare(t, func(s *script) {
		name, id := s.topic("t", 1)
		txn := "x-" + s.run
		s.transactional(txn)
		init := kmsg.NewPtrInitProducerIDRequest()
		init.TransactionalID, init.TransactionTimeoutMillis = &txn, 60_000
		producer := ask[*kmsg.InitProducerIDResponse](s.side, init, 4)
		req := produce(name, id, -1, s.batch(kafka.BatchSpec{Transactional: true, Producer: &kafka.ProducerSpec{ID: producer.ProducerID, Epoch: producer.ProducerEpoch}}, "a"))
		req.TransactionID = &txn
		end := kmsg.NewPtrEndTxnRequest()
		end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = txn, producer.ProducerID, producer.ProducerEpoch, true
		w := &world{script: s}
		w.insist("first", req, 12)
		w.insist("end", end, 4)
		w.endedBy(txn)
		end.Commit = false
		w.insist("end of an empty one, with the next epoch", end, 5)
		w.insist("again", req, 13)
	})
}
