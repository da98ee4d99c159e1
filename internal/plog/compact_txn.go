package plog

import (
	"github.com/leatdev/leat/internal/kafka"
)

// How compaction treats transactions (Kafka's CleanedTransactionMetadata, KIP-534): data
// of aborted ones goes, and names no key; a marker stays as long as data of its
// transaction does, and after that for delete.retention.ms, so that who is reading the
// data meanwhile meets its end. Nothing above the last stable offset is touched.

// cleanedTxns follows the transactions of a log from batch to batch.
type cleanedTxns struct {
	aborted []AbortedTxn         // ahead, by first offset
	open    map[int64]AbortedTxn // aborted ones that the walk is in, by producer
	// left says of which transactions that the walk is in data has been kept.
	left map[int64]bool
}

// cleanTxns begins a walk over the offsets from..to.
func (l *Log) cleanTxns(from, to int64) (*cleanedTxns, error) {
	aborted, err := l.Aborted(from, to)
	return &cleanedTxns{aborted: aborted, open: map[int64]AbortedTxn{}, left: map[int64]bool{}}, err
}

// data takes the walk to a batch of data and reports whether that was aborted.
func (c *cleanedTxns) data(b kafka.Batch) (aborted bool) {
	c.advance(b)
	if !b.Transactional() {
		return false
	}
	_, aborted = c.open[b.ProducerID()]
	return aborted
}

// kept notes that something of a transactional batch stays: its marker has to.
func (c *cleanedTxns) kept(b kafka.Batch) {
	if b.Transactional() {
		c.left[b.ProducerID()] = true
	}
}

// marker takes the walk to a marker. needed says that data of its transaction is left,
// entry is what the transaction index has about it, nil for a commit or when it ended
// nothing.
func (c *cleanedTxns) marker(b kafka.Batch) (needed bool, entry *AbortedTxn) {
	c.advance(b)
	id := b.ProducerID()
	if a, ok := c.open[id]; ok && a.Last == b.BaseOffset() {
		entry = &a
		delete(c.open, id)
	}
	needed = c.left[id]
	delete(c.left, id)
	return needed, entry
}

func (c *cleanedTxns) advance(b kafka.Batch) {
	for len(c.aborted) > 0 && c.aborted[0].First <= b.LastOffset() {
		c.open[c.aborted[0].ProducerID] = c.aborted[0]
		c.aborted = c.aborted[1:]
	}
}

// filterMarker returns what is left of a control batch.
func (p *pass) filterMarker(b kafka.Batch, out *segmentCopy) (kafka.Batch, error) {
	needed, entry := p.txns.marker(b)
	if !b.Transactional() {
		return b, nil
	}
	keep := func(b kafka.Batch) kafka.Batch {
		if entry != nil {
			out.aborted = append(out.aborted, *entry)
		}
		p.stats.Kept += int64(b.NumRecords())
		return b
	}
	if needed || b.BaseOffset() >= p.upTo {
		return keep(b), nil
	}
	horizon, has := b.DeleteHorizon()
	switch {
	case !has:
		// Its transaction has nothing left: from now on its time runs.
		b, err := b.WithDeleteHorizon(p.now + p.cfg.DeleteRetention.Milliseconds())
		if err != nil {
			return nil, err
		}
		return keep(b), nil
	case horizon > p.now || p.producers[b.ProducerID()].marker(b):
		return keep(b), nil
	}
	p.stats.Dropped += int64(b.NumRecords())
	return nil, nil
}

// lastOf is the newest that a producer has in a log: the last offset of its newest
// batch of data, -1 when none is known, and its epoch.
type lastOf struct {
	offset int64
	epoch  int16
}

// marker reports whether a marker is all that tells the producer's epoch.
func (o *lastOf) marker(b kafka.Batch) bool {
	return o != nil && o.offset < 0 && o.epoch == b.ProducerEpoch()
}

// data reports whether a batch is the producer's newest.
func (o *lastOf) data(b kafka.Batch) bool { return o != nil && o.offset == b.LastOffset() }
