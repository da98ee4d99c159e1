package flow

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// checkpointEvery is how often a join looks whether its checkpoint can move. A
// restart reads what came out since, and a little more.
const checkpointEvery = 5 * time.Second

// checkpoints finds out up to where the parts of all rows are committed.
//
// A mark pairs the end of the topic of rows with how far each input had been
// read at that time. Rows below that end had all their parts read before; once
// as much is committed, their parts are. So no row's own offset need be known.
type checkpoints struct {
	marks   []mark
	forgets []string // ids of states that are of no use once what was read by now is committed
	written int64    // the last checkpoint
}

type mark struct {
	end     int64
	read    map[string]int64 // by topic: the offset after the last one read
	forgets []string
}

// forget deletes a row's state with the next checkpoint: not before the row that
// makes it useless is out and its parts are committed, or a restart in between
// would know neither.
func (c *checkpoints) forget(id string) { c.forgets = append(c.forgets, id) }

// mark notes the end of the topic of rows, which must have been asked for before
// what is read was noted.
func (c *checkpoints) mark(end int64, read map[string]int64) {
	if n := len(c.marks); n > 0 && c.marks[n-1].end == end && len(c.forgets) == 0 {
		return
	}
	c.marks = append(c.marks, mark{end: end, read: maps.Clone(read), forgets: c.forgets})
	c.forgets = nil
}

// reached returns the last mark that the commits have reached, and drops it and
// those before it.
func (c *checkpoints) reached(committed func(topic string) int64) (m mark, ok bool) {
	for len(c.marks) > 0 {
		first := c.marks[0]
		for topic, next := range first.read {
			if committed(topic) < next {
				return m, ok
			}
		}
		first.forgets = append(m.forgets, first.forgets...)
		m, ok = first, true
		c.marks = c.marks[1:]
	}
	return m, ok
}

// checkpointAll moves the checkpoints on until ctx ends.
func (j *joiner) checkpointAll(ctx context.Context) {
	ticker := time.NewTicker(checkpointEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			j.checkpointOnce(ctx)
		}
	}
}

func (j *joiner) checkpointOnce(ctx context.Context) {
	ends, err := j.state.adm.ListEndOffsets(ctx, j.s.To)
	if err != nil {
		return // the next time
	}
	committed := map[int32]map[string]int64{}
	for _, p := range j.status().Partitions {
		if committed[p.Partition] == nil {
			committed[p.Partition] = map[string]int64{}
		}
		committed[p.Partition][p.Topic] = p.Committed
	}
	type due struct {
		partition int32
		mark      mark
	}
	var dues []due
	j.mu.Lock()
	for _, n := range j.partitions() {
		p := j.parts[n]
		if end, ok := ends.Lookup(j.s.To, n); ok && end.Err == nil {
			p.mark(end.Offset, p.next)
		}
		m, ok := p.reached(func(topic string) int64 { return committed[n][topic] })
		if ok && (m.end > p.written || len(m.forgets) > 0) {
			p.written = m.end
			dues = append(dues, due{n, m})
		}
	}
	j.mu.Unlock()
	for _, d := range dues {
		j.state.checkpoint(ctx, d.partition, d.mark.end, d.mark.forgets)
	}
}

// refused tells the errors that a record will meet whenever it is written.
func refused(err error) bool {
	for _, e := range []error{kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
