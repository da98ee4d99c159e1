//go:build sim

package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/wal"
)

// producer is a client that sends records; it outlives its broker's lives.
type producer struct {
	r    *run
	pid  int64 // -1: not idempotent, 0: none yet
	seqs []*sequence
}

// sequence is an idempotent producer's state for one partition.
type sequence struct {
	part *partition
	next int32
	open []*batch // sent, not answered; at most 5
	done []*batch // answered, the newest last
}

// newProducer returns the n-th producer, with what it knows of earlier lives.
func newProducer(r *run, n int) *producer {
	for len(r.mem.producers) <= n {
		p := &producer{r: r}
		if len(r.mem.producers)%2 == 1 {
			p.pid = -1
		}
		r.mem.producers = append(r.mem.producers, p)
	}
	return r.mem.producers[n]
}

func (p *producer) work() {
	for range p.r.tune.work {
		pause()
		parts := p.r.mem.usable()
		if len(parts) == 0 {
			sched.Sleep(context.Background(), 5*time.Millisecond)
			continue
		}
		part := parts[sched.Draw(len(parts))]
		if p.pid < 0 {
			p.once(part)
		} else {
			p.idempotent(part)
		}
	}
}

// once sends a batch that is not repeated, with any acks.
func (p *producer) once(part *partition) {
	bt := p.newBatch(part, nil)
	bt.acks = sched.Draw(3) - 1
	at := p.r.find(part)
	if at == nil {
		return
	}
	answer, err := p.send(at, part, bt)
	if err != nil {
		p.refused(part, bt, err)
		return
	}
	if answer.wait() {
		p.answered(part, answer)
	}
}

// idempotent sends some batches that follow each other without waiting between
// them, those first that an earlier life has not answered.
func (p *producer) idempotent(part *partition) {
	r := p.r
	at := r.find(part)
	if at == nil {
		return
	}
	if p.pid == 0 {
		pid, err := r.b.NextProducerID()
		if err != nil {
			r.fail("no producer id: %v", err)
		}
		if r.mem.pids[pid] {
			r.fail("producer id %d is given out twice", pid)
		}
		r.mem.pids[pid] = true
		p.pid = pid
		r.hist.note("producer id %d", pid)
	}
	i := slices.IndexFunc(p.seqs, func(s *sequence) bool { return s.part == part })
	if i < 0 {
		p.seqs = append(p.seqs, &sequence{part: part})
		i = len(p.seqs) - 1
	}
	s := p.seqs[i]
	if len(s.open) == 0 && len(s.done) > 0 && sched.Draw(4) == 0 {
		p.repeat(at, s)
		return
	}
	for range sched.Draw(4) {
		if len(s.open) < 5 {
			bt := p.newBatch(part, s)
			bt.acks = -1
			s.next += int32(len(bt.records))
			s.open = append(s.open, bt)
		}
	}
	var answers []*answer
	for _, bt := range slices.Clone(s.open) {
		a, err := p.send(at, part, bt)
		if err == nil && sched.Draw(5) == 0 {
			// The connection is lost before the answer: only the repeat's counts.
			a, err = p.send(at, part, bt)
			r.stat.Duplicates++
		}
		if err != nil {
			p.refused(part, bt, err)
			break
		}
		answers = append(answers, a)
	}
	for _, a := range answers {
		if !a.wait() {
			break // the ones behind it are tried again, in their order
		}
		p.answered(part, a)
		s.open = slices.DeleteFunc(s.open, func(b *batch) bool { return b == a.batch })
		s.done = append(s.done, a.batch)
		s.done = s.done[max(0, len(s.done)-5):]
	}
}

// repeat sends a batch again that was answered long ago, as a client whose
// connection broke: the answer must be the same.
func (p *producer) repeat(at *broker.Partition, s *sequence) {
	bt := s.done[sched.Draw(len(s.done))]
	a, err := p.send(at, s.part, bt)
	if err != nil {
		p.refused(s.part, bt, err)
		return
	}
	p.r.stat.Duplicates++
	a.wait()
}

func (p *producer) newBatch(part *partition, s *sequence) *batch {
	r := p.r
	bt := &batch{base: -1, life: -1}
	var spec kafka.BatchSpec
	if s != nil {
		bt.seq = s.next
		spec.Producer = &kafka.ProducerSpec{ID: p.pid, Epoch: 0, Sequence: bt.seq}
	}
	spec.Codec = []kafka.Codec{kafka.CodecNone, kafka.CodecNone, kafka.CodecNone, kafka.CodecLZ4}[sched.Draw(4)]
	now := sched.Now().UnixMilli()
	var recs []kafka.Record
	for range 1 + sched.Draw(3) {
		key := ""
		if part.topic.kind == compacted {
			key = fmt.Sprintf("k%d", sched.Draw(6))
		}
		size := sched.Draw(100)
		if sched.Draw(r.tune.big) == 0 {
			size = sched.Draw(12 << 10)
		}
		rec := r.mem.newRecord(part, key, nil, now-int64(sched.Draw(50)))
		rec.batch = bt
		if key == "" || sched.Draw(5) > 0 {
			rec.value = content(rec.id, size)
		}
		bt.records = append(bt.records, rec)
		k := kafka.Record{Timestamp: rec.time, Value: rec.value, Headers: []kafka.Header{{Key: "id", Value: []byte(rec.id)}}}
		if key != "" {
			k.Key = []byte(key)
		}
		recs = append(recs, k)
	}
	bt.raw = kafka.Build(spec, recs)
	return bt
}

// content is a record's value: nothing else looks like it.
func content(id string, size int) []byte {
	return append([]byte(id+" "), bytes.Repeat([]byte(id), size/len(id)+1)[:size]...)
}

// answer is what a producer waits for.
type answer struct {
	p     *producer
	batch *batch
	base  int64
	done  sched.Event
	err   error
	hw    func() int64
	part  *partition
	after int64
}

// send is the Produce request: it returns when the batch has its offset.
func (p *producer) send(at *broker.Partition, part *partition, bt *batch) (*answer, error) {
	r := p.r
	for _, rec := range bt.records {
		part.send(rec)
	}
	r.stat.Records += len(bt.records)
	// Some flush by themselves, as the server has clients do that wait for each answer.
	produce, flush := r.b.Produce, func() {}
	if bt.acks == -1 && sched.Draw(3) == 0 {
		produce, flush = r.b.GatherProduce, r.b.Store.Flush
	}
	defer flush()
	got, err := produce(context.Background(), at, bytes.Clone(bt.raw))
	if err != nil {
		r.hist.note("produce %s to %s: %v", bt, part, err)
		return nil, err
	}
	r.hist.note("produce %s to %s: offset %d, position %d, acks %d", bt, part, got.Base, got.Pos, bt.acks)
	if bt.life == r.life.n && bt.given != got.Base || bt.base >= 0 && bt.base != got.Base {
		r.fail("%s: %s was at offset %d and is at %d when it is sent again", part, bt, max(bt.base, bt.given), got.Base)
	}
	bt.life, bt.given = r.life.n, got.Base
	a := &answer{p: p, batch: bt, base: got.Base, done: sched.NewEvent(), part: part, hw: at.Log.HighWatermark, after: got.Base + int64(len(bt.records))}
	done := func(err error) {
		a.err = err
		a.done.Set()
	}
	switch {
	case bt.acks == 0:
		done(nil)
	case got.Pos == 0:
		done(nil)
	case bt.acks == 1:
		r.b.Store.WhenWritten(plog.Pos(got.Pos), done)
	default:
		r.b.Store.WhenDurable(plog.Pos(got.Pos), done)
	}
	return a, nil
}

// wait waits for the answer, and reports whether it is a good one.
func (a *answer) wait() bool {
	a.done.Wait()
	r := a.p.r
	if a.err != nil {
		r.hist.note("%s to %s: %v", a.batch, a.part, a.err)
		if !r.ill() {
			r.fail("%s: acknowledgement of %s: %v", a.part, a.batch, a.err)
		}
		return false
	}
	if a.batch.acks == -1 && a.part.topic.state == live && a.hw() < a.after {
		r.fail("%s: %s is acknowledged and the high watermark is %d", a.part, a.batch, a.hw())
	}
	return true
}

// answered notes what the answer says.
func (p *producer) answered(part *partition, a *answer) {
	bt := a.batch
	if bt.acks == 0 {
		return // nothing was said
	}
	bt.base = a.base
	l := durable
	if bt.acks == 1 {
		l = written
	}
	p.r.stat.Acked += len(bt.records)
	p.r.hist.note("%s to %s: answered", bt, part)
	for i, rec := range bt.records {
		if err := part.settle(rec, bt.base+int64(i), l); err != nil {
			p.r.fail("acknowledged: %v", err)
		}
	}
}

// refused judges an error that says that nothing has happened.
func (p *producer) refused(part *partition, bt *batch, err error) {
	r := p.r
	r.stat.Refused++
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition) && part.topic.state != live:
	case errors.Is(err, kerr.KafkaStorageError) && (r.ill() || errors.Is(err, wal.ErrFull)):
		// ErrFull: of the tiny write-ahead log commits have taken what was promised.
		sched.Sleep(context.Background(), 100*time.Millisecond)
	default:
		r.fail("%s: %s is refused: %v", part, bt, err)
	}
	if p.pid < 0 {
		for _, rec := range bt.records {
			rec.level = lost
		}
		part.sent = slices.DeleteFunc(part.sent, func(rec *record) bool { return rec.batch == bt })
	}
}

func (b *batch) String() string {
	s := fmt.Sprintf("%s+%d", b.records[0].id, len(b.records))
	if b.records[0].key != "" {
		for _, r := range b.records {
			s += " " + r.key
			if r.value == nil {
				s += "!"
			}
		}
	}
	return s
}
