package plog

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/kafka"
)

// rememberedBatches is how many of a producer's last batches are kept to
// recognise a repeat: as many as an idempotent client may have in flight.
const rememberedBatches = 5

// producer is what a log knows of one idempotent producer (KIP-98).
type producer struct {
	epoch  int16
	seen   int64 // when its newest batch was appended, by the wall clock (ms): for its expiry
	recent []sentBatch
}

// sentBatch is a batch that a producer has sent before.
type sentBatch struct {
	firstSeq, lastSeq int32
	base, last        int64
	ts                int64
	pos               Pos
}

// producers is the state by producer id; nil until there is one.
type producers map[int64]*producer

// check decides about a batch of an idempotent producer, as Kafka's
// ProducerAppendInfo does: nil and no batch = append it; a batch = it was here
// before, answer with that one; else the error for the client.
func (ps producers) check(b kafka.Batch) (*sentBatch, error) {
	p := ps[b.ProducerID()]
	if p == nil || b.ProducerID() == kafka.NoProducerID {
		// A producer that is not known (any more) may go on with any sequence:
		// retention may have taken what was known of it (KIP-360).
		return nil, nil
	}
	if b.ProducerEpoch() < p.epoch {
		return nil, kerr.InvalidProducerEpoch
	}
	if b.ProducerEpoch() > p.epoch {
		if b.BaseSequence() != 0 {
			return nil, kerr.OutOfOrderSequenceNumber
		}
		return nil, nil
	}
	for i := range p.recent {
		if s := &p.recent[i]; s.firstSeq == b.BaseSequence() && s.lastSeq == b.LastSequence() {
			return s, nil
		}
	}
	if n := len(p.recent); n > 0 && !follows(p.recent[n-1].lastSeq, b.BaseSequence()) {
		return nil, kerr.OutOfOrderSequenceNumber
	}
	return nil, nil
}

// follows reports whether seq comes next after last; sequences wrap at 2^31.
func follows(last, seq int32) bool {
	return seq == last+1 || last == 1<<31-1 && seq == 0
}

// add remembers a batch appended at now (ms). The record timestamps do not
// matter for how long: they are the client's and may be years old.
func (ps *producers) add(b kafka.Batch, pos Pos, now int64) {
	if b.ProducerID() == kafka.NoProducerID {
		return
	}
	if *ps == nil {
		*ps = producers{}
	}
	p := (*ps)[b.ProducerID()]
	if p == nil || p.epoch != b.ProducerEpoch() {
		p = &producer{epoch: b.ProducerEpoch()}
		(*ps)[b.ProducerID()] = p
	}
	p.seen = max(p.seen, now)
	if len(p.recent) == rememberedBatches {
		copy(p.recent, p.recent[1:])
		p.recent = p.recent[:rememberedBatches-1]
	}
	p.recent = append(p.recent, sentBatch{
		firstSeq: b.BaseSequence(), lastSeq: b.LastSequence(),
		base: b.BaseOffset(), last: b.LastOffset(), ts: b.MaxTimestamp(), pos: pos,
	})
}

// expire forgets producers that have been silent since before ts (ms).
func (ps producers) expire(ts int64) {
	for id, p := range ps {
		if p.seen < ts {
			delete(ps, id)
		}
	}
}
