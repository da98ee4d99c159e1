package wire

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
)

// Produce: v0-13, of which v0-2 are only told (KAFKA-18659)
//
// Behaviour:
//   - acks=all waits for the flush that covers every partition of the request,
//     once; acks=1 for the write; acks=0 gets no response at all, ever: an error
//     closes the connection.
//   - Exactly one record batch, format v2, per partition.
//   - A repeat of an idempotent batch is answered as the first time, when the
//     first one's flush is done.
//   - Appends happen in the order of the requests, on the connection's reader:
//     several requests of one connection share a flush.
//
// Versions:
//   - v5: the log start offset
//   - v7: zstd (KIP-110)
//   - v8: errors per record (KIP-467)
//   - v9: flexible
//   - v10: the current leader in answers (KIP-951); there is only this node
//   - v12: transactions without AddPartitionsToTxn (KIP-890)
//   - v13: topic ids (KIP-516)
func (a *api) produce(r *Request, req *kmsg.ProduceRequest) Reply {
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	var pos plog.Pos
	resp.Topics = make([]kmsg.ProduceResponseTopic, 0, len(req.Topics))
	for i := range req.Topics {
		t := &req.Topics[i]
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		rt.Partitions = make([]kmsg.ProduceResponseTopicPartition, 0, len(t.Partitions))
		for j := range t.Partitions {
			rp, p := a.producePartition(r, req, t, &t.Partitions[j])
			rt.Partitions = append(rt.Partitions, rp)
			pos = max(pos, p)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	switch {
	case req.Acks == 0:
		return unanswered(resp)
	case pos == 0:
		return answer(resp)
	}
	p, reply := later()
	done := func(err error) {
		if err != nil {
			produceFailed(resp, a.code(r, err))
		}
		p.Answer(resp)
	}
	if req.Acks == 1 {
		a.broker.Store.WhenWritten(pos, done)
	} else {
		a.broker.Store.WhenDurable(pos, done)
	}
	return reply
}

// unanswered is the reply to acks=0. Nobody reads an answer, so an error closes the
// connection: the client can only learn from that, as with Kafka.
func unanswered(resp *kmsg.ProduceResponse) Reply {
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for j := range t.Partitions {
			if err := kerr.ErrorForCode(t.Partitions[j].ErrorCode); err != nil {
				return hangUp(fmt.Errorf("produce with acks=0 to partition %d of %s failed, and has no answer to say so: %w", t.Partitions[j].Partition, topicName(t), err))
			}
		}
	}
	return noAnswer()
}

// topicName is the topic as the request had it.
func topicName(t *kmsg.ProduceResponseTopic) string {
	if t.Topic != "" {
		return t.Topic
	}
	return kafka.UUID(t.TopicID).String()
}

func (a *api) producePartition(r *Request, req *kmsg.ProduceRequest, t *kmsg.ProduceRequestTopic, rp *kmsg.ProduceRequestTopicPartition) (kmsg.ProduceResponseTopicPartition, plog.Pos) {
	out := kmsg.NewProduceResponseTopicPartition()
	out.Partition, out.BaseOffset, out.LogStartOffset = rp.Partition, -1, -1
	part, err := a.partition(req.Version >= 13, t.Topic, t.TopicID, rp.Partition)
	if err == nil && req.Version < 7 && isZstd(rp.Records) {
		err = kerr.UnsupportedCompressionType
	}
	if err == nil && (req.Acks < -1 || req.Acks > 1) {
		err = kerr.InvalidRequiredAcks
	}
	var done broker.Produced
	if err == nil {
		// acks=1 is answered before the sync, and acks=0 not at all
		gather := r.Alone && req.Acks == -1
		r.Gathered = r.Gathered || gather
		from := broker.TxnProducer{Implicit: req.Version >= 12, Abortable: req.Version >= 11}
		if req.TransactionID != nil {
			from.ID = *req.TransactionID
		}
		done, err = a.broker.ProduceFrom(r.Ctx, part, rp.Records, from, gather)
	}
	if err != nil {
		a.produceError(r, &out, err)
		fenced := req.TransactionID != nil && out.ErrorCode == kerr.InvalidProducerEpoch.Code // Kafka's coordinator says it
		if judged(out.ErrorCode, err) && !fenced {
			out.LogStartOffset = part.Log.Start()
		}
		return out, 0
	}
	out.BaseOffset, out.LogStartOffset, out.LogAppendTime = done.Base, done.LogStart, done.AppendTime
	return out, done.Pos
}

// partition finds a partition by topic id or name, as the request has it.
func (a *api) partition(byID bool, name string, id [16]byte, index int32) (*broker.Partition, error) {
	if byID {
		if p := a.broker.PartitionByID(kafka.UUID(id), index); p != nil {
			return p, nil
		}
		if a.broker.Catalog.Snapshot().TopicByID(kafka.UUID(id)) == nil {
			return nil, kerr.UnknownTopicID
		}
		return nil, kerr.UnknownTopicOrPartition
	}
	if p := a.broker.Partition(name, index); p != nil {
		return p, nil
	}
	return nil, kerr.UnknownTopicOrPartition
}

// isZstd looks at the codec of a batch that is not checked yet.
func isZstd(records []byte) bool {
	b, _, err := kafka.NextBatch(records)
	return err == nil && b.Codec() == kafka.CodecZstd
}

func (a *api) produceError(r *Request, out *kmsg.ProduceResponseTopicPartition, err error) {
	var bad *kafka.RecordsError
	var refused *catalog.Refusal
	switch {
	case errors.As(err, &bad):
		for _, e := range bad.Records {
			re := kmsg.NewProduceResponseTopicPartitionErrorRecord()
			re.RelativeOffset, re.ErrorMessage = e.Index, kmsg.StringPtr(e.Message)
			out.ErrorRecords = append(out.ErrorRecords, re)
		}
		out.ErrorMessage = kmsg.StringPtr(bad.Error())
	case errors.As(err, &refused):
		out.ErrorMessage = kmsg.StringPtr(refused.Message)
	}
	if ke := kafka.ErrorCode(err); ke.Code != kerr.UnknownServerError.Code {
		out.ErrorCode = ke.Code
		return
	}
	out.ErrorCode = a.code(r, err)
}

// judged tells whether the partition's log itself has refused the records: only then
// does the answer say where the log starts, as Kafka's does.
func judged(code int16, err error) bool {
	var refused *catalog.Refusal
	switch code {
	case kerr.InvalidRecord.Code, kerr.InvalidTimestamp.Code, kerr.OutOfOrderSequenceNumber.Code, kerr.InvalidProducerEpoch.Code:
		return !errors.As(err, &refused)
	}
	return false
}

// produceFailed gives every partition that had gone well the code of the flush
// that did not.
func produceFailed(resp *kmsg.ProduceResponse, code int16) {
	for i := range resp.Topics {
		ps := resp.Topics[i].Partitions
		for j := range ps {
			if ps[j].ErrorCode == 0 {
				ps[j].ErrorCode, ps[j].BaseOffset, ps[j].LogAppendTime, ps[j].LogStartOffset = code, -1, -1, -1
			}
		}
	}
}
