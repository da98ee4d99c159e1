package wal

import (
	"fmt"
	"slices"

	"github.com/leatdev/leat/internal/kafka"
)

// TornBatches returns the batches that were cut as a torn tail, as far as they can
// still be made out.
func (res *Result) TornBatches() (out []TornBatch, err error) {
	for i := range res.torn {
		g := &res.torn[i]
		body, err := res.body(g)
		if err != nil {
			return out, err
		}
		for p := body[min(groupHeaderSize, len(body)):]; len(p) > 0; {
			f, size, header, err := parseFrame(p)
			if !header {
				break
			}
			if t, ok := tornBatch(&f, err); ok {
				out = append(out, t)
			}
			p = p[size:]
		}
	}
	return out, nil
}

// TornBatch is a batch of a torn tail.
type TornBatch struct {
	Topic     kafka.UUID
	Partition int32
	// Bytes of the batch.
	Bytes int64
	// First and Last are its offsets; Last is First where only that is known.
	First, Last int64
}

func tornBatch(f *Frame, bad error) (TornBatch, bool) {
	t := TornBatch{Topic: f.Topic, Partition: f.Partition, Bytes: int64(len(f.Data)), First: f.Offset, Last: f.Offset}
	switch {
	case f.Kind == KindRef:
		t.Bytes = int64(f.RefLen)
	case f.Kind != KindBatch:
		return t, false
	case bad == nil:
		if b, _, err := kafka.NextBatch(f.Data); err == nil {
			t.Last = b.LastOffset()
		}
	}
	return t, true
}

// body reads a group as far as its file goes.
func (res *Result) body(g *found) ([]byte, error) {
	f, err := res.fs.OpenRead(res.files[g.file])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, min(int64(g.length), size-g.off))
	if err := readFull(f, b, g.off); err != nil {
		return nil, fmt.Errorf("write-ahead log %s: %w", res.files[g.file], err)
	}
	return b, nil
}

// Cut gives up the groups from number at on, and the damage among them.
func (res *Result) Cut(at Pos) {
	res.groups = slices.DeleteFunc(res.groups, func(g found) bool { return g.seq >= at })
	res.Damaged = slices.DeleteFunc(res.Damaged, func(d Damage) bool { return d.Seq >= at })
}
