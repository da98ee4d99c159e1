package wire

import (
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/txn"
)

// AddPartitionsToTxn: v0-5 (KIP-98)
//
// Behaviour:
//   - All partitions of a transaction are added or none: with one that does not
//     exist the others are OPERATION_NOT_ATTEMPTED.
//   - Answered when it is on disk.
//
// Versions:
//   - v2: PRODUCER_FENCED; before, INVALID_PRODUCER_EPOCH
//   - v3: flexible
//   - v4: several transactions, and verify only (KIP-890): a partition that is not
//     in the transaction is TRANSACTION_ABORTABLE
func (a *api) addPartitionsToTxn(_ *Request, req *kmsg.AddPartitionsToTxnRequest) Reply {
	resp := req.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
	p, reply := later()
	if req.Version < 4 {
		topics := make([]kmsg.AddPartitionsToTxnRequestTransactionTopic, len(req.Topics))
		for i, t := range req.Topics {
			topics[i] = kmsg.AddPartitionsToTxnRequestTransactionTopic{Topic: t.Topic, Partitions: t.Partitions}
		}
		a.addToTxn(req.Version, req.TransactionalID, req.ProducerID, req.ProducerEpoch, false, topics, func(ts []kmsg.AddPartitionsToTxnResponseTransactionTopic) {
			for _, t := range ts {
				rt := kmsg.NewAddPartitionsToTxnResponseTopic()
				rt.Topic = t.Topic
				for _, rp := range t.Partitions {
					rt.Partitions = append(rt.Partitions, kmsg.AddPartitionsToTxnResponseTopicPartition{Partition: rp.Partition, ErrorCode: rp.ErrorCode})
				}
				resp.Topics = append(resp.Topics, rt)
			}
			p.Answer(resp)
		})
		return reply
	}
	resp.Transactions = make([]kmsg.AddPartitionsToTxnResponseTransaction, len(req.Transactions))
	var left atomic.Int64
	left.Store(int64(len(req.Transactions)) + 1)
	all := func() {
		if left.Add(-1) == 0 {
			p.Answer(resp)
		}
	}
	for i := range req.Transactions {
		t, rt := &req.Transactions[i], &resp.Transactions[i]
		rt.TransactionalID = t.TransactionalID
		a.addToTxn(req.Version, t.TransactionalID, t.ProducerID, t.ProducerEpoch, t.VerifyOnly, t.Topics, func(ts []kmsg.AddPartitionsToTxnResponseTransactionTopic) {
			rt.Topics = ts
			all()
		})
	}
	all()
	return reply
}

// addToTxn adds the partitions of one transaction and hands the codes on.
func (a *api) addToTxn(version int16, id string, producer int64, epoch int16, verify bool, topics []kmsg.AddPartitionsToTxnRequestTransactionTopic, done func([]kmsg.AddPartitionsToTxnResponseTransactionTopic)) {
	e := txn.Add{ID: id, ProducerID: producer, Epoch: epoch, Verify: verify, V2: version >= 4}
	out := make([]kmsg.AddPartitionsToTxnResponseTransactionTopic, len(topics))
	var slots []*int16
	unknown := false
	for i, t := range topics {
		out[i].Topic = t.Topic
		out[i].Partitions = make([]kmsg.AddPartitionsToTxnResponseTransactionTopicPartition, len(t.Partitions))
		for j, p := range t.Partitions {
			rp := &out[i].Partitions[j]
			rp.Partition = p
			if a.broker.Partition(t.Topic, p) == nil {
				rp.ErrorCode, unknown = kerr.UnknownTopicOrPartition.Code, true
				continue
			}
			e.Partitions = append(e.Partitions, txn.Partition{Topic: t.Topic, Partition: p})
			slots = append(slots, &rp.ErrorCode)
		}
	}
	set := func(code int16) {
		for _, s := range slots {
			*s = fencedBefore(2, version, code)
		}
		done(out)
	}
	switch {
	case id == "":
		set(kerr.InvalidRequest.Code)
	case unknown && !verify:
		set(kerr.OperationNotAttempted.Code)
	default:
		a.broker.Txns.Add(e, func(got txn.AddAnswer) {
			if got.Code != 0 || got.Codes == nil {
				set(got.Code)
				return
			}
			for i, s := range slots {
				*s = got.Codes[i]
			}
			done(out)
		})
	}
}
