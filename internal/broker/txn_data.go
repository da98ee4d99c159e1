package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/group"
	"github.com/leatdev/leat/internal/coord/txn"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/mutant"
	"github.com/leatdev/leat/internal/plog"
)

// TxnProducer is what a request says of its transactional producer.
type TxnProducer struct {
	ID string // the transactional id; empty when there is none
	// Implicit says that data adds its partition to the transaction by itself: the
	// request is of transaction version 2 (KIP-890).
	Implicit bool
	// Abortable says that the client knows TRANSACTION_ABORTABLE (KIP-890); one that
	// does not is told INVALID_TXN_STATE.
	Abortable bool
}

// submitting is Store.Submit or Store.Gather.
type submitting func(...plog.Op) ([]plog.Result, plog.Pos, error)

// produce appends the batch of a transaction that is not open in the partition's log:
// when the partition is in the transaction, or together with the record that adds it.
// Between the look and the append nobody decides about the transaction.
func (t *Txns) produce(from TxnProducer, p *Partition, batch kafka.Batch, submit submitting) ([]plog.Result, plog.Pos, error) {
	s, err := t.shard(from.ID)
	if err != nil {
		return nil, 0, err
	}
	var results []plog.Result
	var pos plog.Pos
	at := txn.Partition{Topic: p.Topic(), Partition: p.Index}
	data := plog.Append(p.Log, batch)
	if from.Implicit {
		data = plog.BeginsAtZero(data)
	} else {
		data = plog.Begins(data)
	}
	code := s.enter(from, batch.ProducerID(), batch.ProducerEpoch(), at, func(record ...plog.Op) (plog.Pos, error) {
		var err error
		if mutant.On("partition-late") && len(record) > 0 {
			if results, pos, err = submit(data); err == nil {
				if err = t.opt.Store.Wait(context.Background(), pos); err == nil {
					_, pos, err = submit(record...)
				}
			}
			return pos, err
		}
		if results, pos, err = submit(append(record, data)...); err == nil {
			results = results[len(record):]
		}
		return pos, err
	}, &err)
	if code != 0 {
		return nil, 0, kerr.ErrorForCode(code)
	}
	return results, pos, err
}

// enter asks the machine whether data may come, and has add append it: with the record
// that adds the partition, if one is needed. The code says why not; errp gets add's
// error.
func (s *txnShard) enter(from TxnProducer, producerID int64, epoch int16, at txn.Partition, add func(record ...plog.Op) (plog.Pos, error), errp *error) (code int16) {
	s.mu.Lock()
	token := replyTo(func(any) {})
	eff := s.machine.Step(s.opt.Now(), txn.Enter{
		Token: token, ID: from.ID, ProducerID: producerID, Epoch: epoch, Partition: at, Implicit: from.Implicit,
	})
	all := txn.Effects{Notes: eff.Notes}
	if len(eff.Writes) == 1 {
		w := &eff.Writes[0]
		pos, err := add(s.record(w))
		s.report(&all, w.ID, pos, err)
		*errp = err
	} else if code = eff.Replies[0].Answer.(txn.EnterAnswer).Code; code == 0 {
		_, *errp = add()
	}
	s.finish(all)
	if code == kerr.InvalidTxnState.Code && from.Abortable {
		code = kerr.TransactionAbortable.Code
	}
	return code
}

// produceError is what a Produce request is told when the coordinator refuses its data,
// in words that producers understand (Kafka's AddPartitionsToTxnManager).
func produceError(err error, implicit bool) error {
	switch groupCode(err) {
	case kerr.ProducerFenced.Code:
		return catalog.Refuse(kerr.InvalidProducerEpoch, "The transaction has a newer producer epoch.")
	case kerr.ConcurrentTransactions.Code:
		if implicit {
			return err
		}
		return kerr.NotEnoughReplicas
	case kerr.CoordinatorLoadInProgress.Code, kerr.CoordinatorNotAvailable.Code, kerr.NotCoordinator.Code:
		return kerr.NotEnoughReplicas
	}
	return err
}

// CommitOffsets stores a group's offsets in a transaction; the answer comes when they
// are on disk. They count when the transaction is committed.
func (t *Txns) CommitOffsets(req *kmsg.TxnOffsetCommitRequest, done func(*kmsg.TxnOffsetCommitResponse)) {
	res := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	e := group.TxnCommit{
		Group: req.Group, MemberID: req.MemberID, InstanceID: req.InstanceID, Generation: req.Generation,
		Producer: group.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch},
	}
	g := t.opt.Groups
	topics := t.opt.Catalog.Snapshot()
	var slots []*int16 // where the codes of e.Offsets go
	for _, rt := range req.Topics {
		st := kmsg.NewTxnOffsetCommitResponseTopic()
		st.Topic, st.TopicID = rt.Topic, rt.TopicID
		st.Partitions = make([]kmsg.TxnOffsetCommitResponseTopicPartition, len(rt.Partitions))
		topic, code := lookUp(topics, req.Version >= 6, rt.Topic, rt.TopicID)
		for i, rp := range rt.Partitions {
			st.Partitions[i].Default()
			st.Partitions[i].Partition = rp.Partition
			if st.Partitions[i].ErrorCode = partitionCode(topic, code, rp.Partition); st.Partitions[i].ErrorCode == 0 {
				e.Offsets = append(e.Offsets, commitOffset(topic, rp.Partition, rp.Offset, rp.LeaderEpoch, rp.Metadata))
				slots = append(slots, &st.Partitions[i].ErrorCode)
			}
		}
		res.Topics = append(res.Topics, st)
	}
	refuse := func(code int16) {
		for _, s := range slots {
			*s = code
		}
		done(res)
	}
	release := t.opt.Store.AwaitReserve(commitBytes * (2 + len(e.Offsets)))
	defer release()
	sh, err := g.shard(req.Group)
	if err != nil {
		refuse(groupCode(err))
		return
	}
	s, err := t.shard(req.TransactionalID)
	if err != nil {
		refuse(groupCode(err))
		return
	}
	e.Token = replyTo(func(answer any) {
		for i, code := range answer.(group.CommitAnswer).Codes {
			*slots[i] = code
		}
		done(res)
	})
	// The group's part ends with its lock, the answers come when both are free.
	var out group.Effects
	stepped := false
	code := s.enter(TxnProducer{ID: req.TransactionalID, Implicit: req.Version >= 5, Abortable: req.Version >= 4}, req.ProducerID, req.ProducerEpoch,
		txn.Partition{Topic: OffsetsTopic, Partition: sh.partition}, func(record ...plog.Op) (plog.Pos, error) {
			sh.mu.Lock()
			e.Offsets, slots = g.dropDeleted(e.Offsets, slots)
			pos, err := plog.Pos(0), errNothingToAppend
			out, stepped = sh.carryOutWith(sh.machine.Step(g.opt.Now(), e), record, &pos, &err), true
			return pos, err
		}, &err)
	if stepped {
		sh.finish(out)
	} else {
		refuse(offsetCommitCode(code))
	}
}

// offsetCommitCode is what TxnOffsetCommit tells for a refusal of the coordinator.
func offsetCommitCode(code int16) int16 {
	switch code {
	case kerr.ProducerFenced.Code:
		return kerr.InvalidProducerEpoch.Code
	case kerr.PolicyViolation.Code:
		return kerr.InvalidCommitOffsetSize.Code
	}
	return code
}
