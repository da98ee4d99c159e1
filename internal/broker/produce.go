package broker

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/mutant"
	"github.com/leatdev/leat/internal/plog"
)

// openLimit bounds what a compressed batch may open to when its records have to
// be looked at.
const openLimit = 256 << 20

// Produced is what became of one partition's batch.
type Produced struct {
	Base       int64
	AppendTime int64 // ms; -1 unless LogAppendTime
	LogStart   int64
	// Pos is what the answer has to wait for.
	Pos plog.Pos
}

// Produce appends one client's batch to a partition: checked, stored as it came
// but for offsets and epoch (and where the topic's configs ask for more). It
// does not wait for the disk; it may wait for room (back-pressure). The batch's
// bytes are changed in place and not kept. The error is a *kafka.RecordsError, a
// catalog.Refusal or a kerr value.
func (b *Broker) Produce(ctx context.Context, p *Partition, records []byte) (Produced, error) {
	return b.produce(ctx, p, records, TxnProducer{}, b.Store.Submit)
}

// GatherProduce is Produce for who calls Store.Flush afterwards, whatever it returns:
// see plog.Store.Gather.
func (b *Broker) GatherProduce(ctx context.Context, p *Partition, records []byte) (Produced, error) {
	return b.produce(ctx, p, records, TxnProducer{}, b.Store.Gather)
}

// ProduceFrom is Produce, or GatherProduce, of a producer that may be transactional.
func (b *Broker) ProduceFrom(ctx context.Context, p *Partition, records []byte, from TxnProducer, gather bool) (Produced, error) {
	if gather {
		return b.produce(ctx, p, records, from, b.Store.Gather)
	}
	return b.produce(ctx, p, records, from, b.Store.Submit)
}

func (b *Broker) produce(ctx context.Context, p *Partition, records []byte, from TxnProducer, submit submitting) (Produced, error) {
	if catalog.InternalTopic(p.Topic()) {
		return Produced{}, kerr.InvalidTopicException
	}
	batch, err := b.admissible(p, records)
	if err != nil {
		return Produced{}, err
	}
	release, err := b.Store.Admit(ctx, len(batch))
	if err != nil {
		return Produced{}, err
	}
	defer release()
	if batch.Transactional() && from.ID == "" {
		return Produced{}, kerr.TransactionalIDAuthorizationFailed // Kafka's answer: nobody may write for no id
	}
	rs, pos, err := submit(plog.Append(p.Log, batch))
	if batch.Transactional() && errors.Is(err, plog.ErrNoTransaction) {
		if rs, pos, err = b.Txns.produce(from, p, batch, submit); err != nil {
			err = produceError(err, from.Implicit)
		}
	}
	if errors.Is(err, plog.ErrDeleted) {
		return Produced{}, kerr.UnknownTopicOrPartition
	}
	if err != nil {
		return Produced{}, err
	}
	return Produced{Base: rs[0].Base, AppendTime: rs[0].AppendTime, LogStart: p.Log.Start(), Pos: pos}, nil
}

// admissible checks what a client sent for one partition (Kafka's LogValidator
// and UnifiedLog.append) and returns the batch to be stored.
func (b *Broker) admissible(p *Partition, records []byte) (kafka.Batch, error) {
	view := p.View()
	batch, rest, err := kafka.NextBatch(records)
	switch {
	case errors.Is(err, kafka.ErrBatchMagic):
		return nil, catalog.Refuse(kerr.InvalidRecord, "only record batches of format v2 are taken: %v", err)
	case errors.Is(err, kafka.ErrBatchShort):
		// Kafka's answer to records in which no batch is whole.
		return nil, catalog.Refuse(kerr.InvalidRecord, "there must be one whole record batch for each partition: %v", err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", kerr.CorruptMessage, err)
	case len(rest) != 0:
		return nil, catalog.Refuse(kerr.InvalidRecord, "exactly one record batch per partition is taken; %d bytes follow the first", len(rest))
	case len(batch) > view.MaxMessageBytes:
		return nil, catalog.Refuse(kerr.MessageTooLarge, "the record batch has %d bytes, max.message.bytes of topic %s is %d", len(batch), p.Topic(), view.MaxMessageBytes)
	}
	opt := kafka.CheckOptions{Keys: view.Log.Compact, Limit: openLimit}
	if !view.Log.LogAppendTime {
		opt.Times = view.Times(b.now())
	}
	res, err := batch.Check(opt)
	if err != nil {
		return nil, err
	}
	if res.MaxTimestamp != batch.MaxTimestamp() && !view.Log.LogAppendTime {
		batch.SetMaxTimestamp(res.MaxTimestamp)
	}
	if view.Recompress && batch.Codec() != view.Codec {
		return batch.Recompress(view.Codec, openLimit)
	}
	return batch, nil
}

// NextProducerID gives out a producer id that nobody ever had: the start's
// number above, a count below.
func (b *Broker) NextProducerID() (int64, error) {
	n := b.ids.Add(1)
	if n == 0 {
		return 0, errors.New("all producer ids of this start are given out: restart the broker")
	}
	epoch := b.Epoch
	if mutant.On("producer-id") {
		epoch = 1
	}
	return int64(epoch)<<32 | int64(n), nil
}
