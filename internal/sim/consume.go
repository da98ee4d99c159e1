//go:build sim

package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
)

// reader is a client that reads: from where it stands, or from anywhere.
type reader struct {
	r    *run
	n    int
	part *partition
	at   int64
}

func (c *reader) work() {
	r := c.r
	for range r.tune.work {
		pause()
		parts := r.mem.usable()
		if len(parts) == 0 {
			sched.Sleep(context.Background(), 5*time.Millisecond)
			continue
		}
		if c.part == nil || c.part.topic.state != live || sched.Draw(4) == 0 {
			c.part, c.at = parts[sched.Draw(len(parts))], -1
		}
		at := r.find(c.part)
		if at == nil {
			continue
		}
		start, hw := at.Log.Start(), at.Log.HighWatermark()
		if c.at < start || c.at > hw {
			c.at = start + int64(sched.Draw(int(hw-start)+1))
		}
		if c.at == hw && sched.Draw(2) == 0 {
			c.wait(at)
		}
		r.stat.Read++
		next, err := r.read(at, c.part, c.at, []int{1, 300, 5000, 1 << 20}[sched.Draw(4)])
		switch {
		case err == nil:
			c.at = next
		case errors.Is(err, errGone):
			c.part = nil
		case errors.Is(err, kerr.OffsetOutOfRange):
			c.at = -1 // the log start has moved
		case errors.Is(err, errDisk):
		default:
			r.fail("read: %v", err)
		}
	}
}

// wait waits for a change of the partition, as a parked fetch does.
func (c *reader) wait(at *broker.Partition) {
	changed := sched.NewEvent()
	now := broker.Await(context.Background(), []*broker.Partition{at}, 30*time.Millisecond, changed.Set)
	if at.Log.HighWatermark() > c.at {
		now()
	}
	changed.Wait()
}

var (
	errGone = errors.New("the topic is being deleted")
	errDisk = errors.New("the disk cannot be read")
)

// read is a fetch: it checks what comes against what is known, notes that it was
// seen, and returns where to read on.
func (r *run) read(at *broker.Partition, p *partition, offset int64, most int) (next int64, err error) {
	start := at.Log.Start()
	if err := p.startSeen(start); err != nil {
		return 0, err
	}
	data, err := r.fetch(at, offset, most)
	hw := at.Log.HighWatermark()
	r.hist.note("read %s from %d: %d bytes, %d to %d, %v", p, offset, len(data), start, hw, err)
	switch {
	case err == nil:
	case errors.Is(err, kerr.UnknownTopicOrPartition) && p.topic.state != live, errors.Is(err, errGone):
		return 0, errGone
	case errors.Is(err, kerr.OffsetOutOfRange) && (offset < at.Log.Start() || offset > hw):
		return 0, err
	case r.faulty() && isFault(err):
		return 0, errDisk
	case p.topic.state != live:
		return 0, errGone // its files go while it is read
	case errors.Is(err, errHeld) && (at.Log.Start() > offset || p.topic.kind == compacted):
		return offset, nil // deleted or compacted while the answer was on its way
	default:
		return 0, fmt.Errorf("%s from %d: %w", p, offset, err)
	}
	if err := p.endSeen(hw); err != nil {
		return 0, err
	}
	next = offset
	for rest := data; len(rest) > 0; {
		var b kafka.Batch
		if b, rest, err = kafka.NextBatch(rest); err != nil {
			return 0, fmt.Errorf("%s from %d: what is served is no batch: %w", p, offset, err)
		}
		if err := r.batchSeen(p, b, &next, hw); err != nil {
			return 0, err
		}
	}
	if len(data) == 0 && offset < hw {
		if p.topic.kind != compacted && p.topic.state == live && at.Log.Start() <= offset {
			return 0, fmt.Errorf("%s: nothing is read from %d, below the high watermark %d", p, offset, hw)
		}
		next = hw
	}
	return next, nil
}

// errHeld says that records could not be had any more when it was their turn.
var errHeld = errors.New("records are gone before they were sent")

// fetch finds records and reads them piece by piece, as a connection sends them:
// at once, or when its client gets round to it.
func (r *run) fetch(at *broker.Partition, offset int64, most int) ([]byte, error) {
	if sched.Draw(2) == 0 {
		return at.Log.Read(offset, most, true)
	}
	recs, err := at.Log.Fetch(offset, most, true)
	if err != nil {
		return nil, err
	}
	defer recs.Release()
	var data []byte
	var piece plog.Piece
	defer piece.Done()
	for len(data) < recs.Size() {
		pause()
		if err := recs.Piece(len(data), &piece); err != nil {
			return nil, fmt.Errorf("%w: %w", errHeld, err)
		}
		if sched.Draw(2) == 0 {
			pause()
		}
		for _, m := range piece.Mem {
			data = append(data, m...)
		}
		if piece.File != nil {
			b := make([]byte, min(piece.Len, recs.Size()-len(data)))
			if _, err := piece.File.ReadAt(b, piece.At); err != nil {
				return nil, fmt.Errorf("%w: %w", errHeld, err)
			}
			data = append(data, b...)
		}
	}
	return data[:recs.Size()], nil
}

// startSeen checks a log start against those before.
func (p *partition) startSeen(start int64) error {
	if p.topic.state != live {
		return nil
	}
	if start < p.start {
		return fmt.Errorf("%s: log start %d, and it was %d: deleted records are back", p, start, p.start)
	}
	if p.topic.kind != retaining && start > p.asked {
		return fmt.Errorf("%s: log start %d, and deletion was asked for up to %d only", p, start, p.asked)
	}
	p.start = start
	return nil
}

// endSeen checks a high watermark against those before.
func (p *partition) endSeen(hw int64) error {
	if p.topic.state == live && hw < p.end {
		return fmt.Errorf("%s: high watermark %d, and it was %d: what was seen is taken back", p, hw, p.end)
	}
	p.end = max(p.end, hw)
	return nil
}

// batchSeen checks one batch of an answer.
func (r *run) batchSeen(p *partition, b kafka.Batch, next *int64, hw int64) error {
	if err := b.VerifyCRC(); err != nil {
		return fmt.Errorf("%s: a batch that is broken is served as good: %w", p, err)
	}
	if b.LastOffset() < *next || p.topic.kind != compacted && b.BaseOffset() > *next {
		return fmt.Errorf("%s: a batch of offsets %d to %d is served where %d was to come", p, b.BaseOffset(), b.LastOffset(), *next)
	}
	if b.LastOffset() >= hw {
		return fmt.Errorf("%s: a batch of offsets %d to %d is served above the high watermark %d", p, b.BaseOffset(), b.LastOffset(), hw)
	}
	if b.LeaderEpoch() < 1 || b.LeaderEpoch() > r.mem.epoch {
		return fmt.Errorf("%s: a batch at offset %d has leader epoch %d", p, b.BaseOffset(), b.LeaderEpoch())
	}
	for k, err := range b.Records(1 << 20) {
		if err != nil {
			return fmt.Errorf("%s: batch at offset %d: %w", p, b.BaseOffset(), err)
		}
		id := ""
		for _, h := range k.Headers {
			id += string(h.Value)
		}
		rec := r.mem.byID[id]
		if rec == nil || rec.part != p {
			return fmt.Errorf("%s: offset %d holds %q, which nobody sent there", p, k.Offset, id)
		}
		if string(k.Key) != rec.key || !bytes.Equal(k.Value, rec.value) || (k.Value == nil) != (rec.value == nil) || p.topic.kind != appendTime && k.Timestamp != rec.time {
			return fmt.Errorf("%s: offset %d holds another %s than was sent", p, k.Offset, id)
		}
		if k.Offset < p.start {
			continue // the batch holds it still; clients pass over it
		}
		if err := p.settle(rec, k.Offset, durable); err != nil {
			return err
		}
		if f := p.found; f != nil {
			if _, twice := f.at[rec]; !twice {
				f.at[rec] = k.Offset
				f.records = append(f.records, foundRecord{k.Offset, k.Timestamp, b.LeaderEpoch(), rec})
			}
		}
	}
	*next = b.NextOffset()
	return nil
}

// find returns the partition as the broker has it; nil when it is being deleted.
func (r *run) find(p *partition) *broker.Partition {
	at := r.b.PartitionByID(p.topic.id, p.index)
	if at == nil && p.topic.state == live {
		r.fail("%s is unknown, and nobody has deleted it", p)
	}
	return at
}
