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

// A producer that somebody else has fenced ends its transaction before that one has its
// epoch.
func TestEndOfAFencedProducer(t *testing.T) {
	compare(t, func(s *script) {
		name, id := s.topic("t", 1)
		w := &world{script: s}
		for _, commit := range []bool{true, false} {
			for _, v := range []int16{4, 5} {
				what := fmt.Sprintf("commit %v v%d", commit, v)
				txn := fmt.Sprintf("x-%v-%d-%s", commit, v, s.run)
				s.transactional(txn)
				init := kmsg.NewPtrInitProducerIDRequest()
				init.TransactionalID, init.TransactionTimeoutMillis = &txn, 60_000
				producer := ask[*kmsg.InitProducerIDResponse](s.side, init, 4)
				req := produce(name, id, -1, s.batch(kafka.BatchSpec{Transactional: true, Producer: &kafka.ProducerSpec{ID: producer.ProducerID, Epoch: producer.ProducerEpoch}}, "a"))
				req.TransactionID = &txn
				w.insist(what+": data", req, 12)
				s.note(what+": another one begins", init, 4)
				w.endedBy(txn)
				end := kmsg.NewPtrEndTxnRequest()
				end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = txn, producer.ProducerID, producer.ProducerEpoch, commit
				s.note(what+": the first ends", end, v)
				w.insist(what+": the other has it", init, 4)
				s.note(what+": the first ends again", end, v)
			}
		}
	})
}

// Offsets in the name of a transactional id that the producer does not have, while a
// transaction of its own is in the group.
func TestOffsetsOfAnotherTransaction(t *testing.T) {
	compare(t, func(s *script) {
		name, _ := s.topic("t", 1)
		txn, group := "x-"+s.run, "g-"+s.run
		s.transactional(txn)
		init := kmsg.NewPtrInitProducerIDRequest()
		init.TransactionalID, init.TransactionTimeoutMillis = &txn, 60_000
		producer := ask[*kmsg.InitProducerIDResponse](s.side, init, 4)
		for i, id := range []string{"nosuch-" + s.run, txn, "nosuch-" + s.run} {
			commit := kmsg.NewPtrTxnOffsetCommitRequest()
			commit.TransactionalID, commit.ProducerID, commit.ProducerEpoch, commit.Group, commit.Generation = id, producer.ProducerID, producer.ProducerEpoch, group, -1
			commit.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: name, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{Offset: int64(i), LeaderEpoch: -1}}}}
			for _, v := range []int16{3, 5} {
				if id != txn || v == 5 {
					s.note(fmt.Sprintf("offsets %d v%d", i, v), commit, v)
				}
			}
		}
	})
}

// Transactions that were aborted, in an answer that has room for less than there is.
func TestAbortedOfWhatIsSent(t *testing.T) {
	compare(t, func(s *script) {
		txn := "x-" + s.run
		s.transactional(txn)
		name, id := s.topic("t", 2)
		for p := range int32(2) {
			req := produce(name, id, -1, s.batch(kafka.BatchSpec{}, "a", "b"))
			req.Topics[0].Partitions[0].Partition = p
			s.note("produce", req, 9)
		}
		init := kmsg.NewPtrInitProducerIDRequest()
		init.TransactionalID, init.TransactionTimeoutMillis = &txn, 60_000
		producer := ask[*kmsg.InitProducerIDResponse](s.side, init, 4)
		b := s.batch(kafka.BatchSpec{Transactional: true, Producer: &kafka.ProducerSpec{ID: producer.ProducerID, Epoch: producer.ProducerEpoch}}, "a")
		req := produce(name, id, -1, b)
		req.TransactionID = &txn
		s.note("in a transaction", req, 12)
		end := kmsg.NewPtrEndTxnRequest()
		end.TransactionalID, end.ProducerID, end.ProducerEpoch = txn, producer.ProducerID, producer.ProducerEpoch
		s.note("abort", end, 4)
		w := world{script: s}
		w.endedBy(txn)
		for _, limit := range []int32{1, 1 << 20} {
			one := fetch(name, id, 0, 0)
			one.IsolationLevel = 1
			one.Topics[0].Partitions[0].PartitionMaxBytes = limit
			s.note(map[bool]string{true: "one batch", false: "all"}[limit == 1], one, 12)
		}
		two := fetch(name, id, 0, 0)
		two.IsolationLevel, two.MaxBytes = 1, 100
		more := two.Topics[0].Partitions[0]
		more.Partition = 1
		two.Topics[0].Partitions = append(two.Topics[0].Partitions, more)
		s.note("no room for the second", two, 12)
	})
}
