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
	// open is the first offset of its transaction; -1 when none is open. coordinator is
	// the leader epoch of the coordinator that wrote its newest marker; -1 before one.
	open        int64
	coordinator int32
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
		if b.BaseSequence() > 0 {
			return nil, kerr.OutOfOrderSequenceNumber
		}
		return nil, nil
	}
	if b.BaseSequence() < 0 {
		return nil, nil // the broker's own: offsets of a transaction
	}
	for i := range p.recent {
		if s := &p.recent[i]; s.firstSeq == b.BaseSequence() && s.lastSeq == b.LastSequence() {
			return s, nil
		}
	}
	n := len(p.recent)
	if n > 0 && !follows(p.recent[n-1].lastSeq, b.BaseSequence()) || n == 0 && b.BaseSequence() != 0 {
		return nil, kerr.OutOfOrderSequenceNumber // n == 0: a marker has begun this epoch
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
	p := ps.of(b.ProducerID(), b.ProducerEpoch())
	p.seen = max(p.seen, now)
	if b.Transactional() && p.open < 0 {
		p.open = b.BaseOffset()
	}
	lastSeq := b.LastSequence()
	if b.BaseSequence() < 0 {
		lastSeq = -1
	}
	if len(p.recent) == rememberedBatches {
		copy(p.recent, p.recent[1:])
		p.recent = p.recent[:rememberedBatches-1]
	}
	p.recent = append(p.recent, sentBatch{
		firstSeq: b.BaseSequence(), lastSeq: lastSeq,
		base: b.BaseOffset(), last: b.LastOffset(), ts: b.MaxTimestamp(), pos: pos,
	})
}

// of returns what is known of a producer, to be changed: of a new epoch there are no
// batches yet.
func (ps *producers) of(id int64, epoch int16) *producer {
	if *ps == nil {
		*ps = producers{}
	}
	p := (*ps)[id]
	if p == nil {
		p = &producer{epoch: epoch, open: -1, coordinator: -1}
		(*ps)[id] = p
	}
	if p.epoch != epoch {
		p.epoch, p.recent = epoch, nil
	}
	return p
}

// expire forgets producers that have been silent since before ts (ms).
func (ps producers) expire(ts int64) {
	for id, p := range ps {
		if p.seen < ts && p.open < 0 {
			delete(ps, id)
		}
	}
}
