//go:build sim

package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
)

// readCommitted reads a partition as a reader of committed data, and checks what it
// sees. settled: no transaction is open or under way.
func (r *run) readCommitted(p int32, settled bool) error {
	at := r.b.Partition(txnTopic, p)
	was := r.txns.stable[p] // others may see more while this looks
	from := r.txns.told.now()
	stable := at.Log.LastStable()
	r.txns.told.stable(from, p, stable)
	if stable < was {
		return fmt.Errorf("%s-%d: last stable offset %d, and it was %d: what was seen is taken back", txnTopic, p, stable, was)
	}
	r.txns.stable[p] = max(stable, r.txns.stable[p])
	if hw := at.Log.HighWatermark(); settled && stable < hw {
		return fmt.Errorf("%s-%d: last stable offset %d below the high watermark %d: a transaction that nobody has open hangs", txnTopic, p, stable, hw)
	}
	open, err := r.openIn(at.Log)
	if err != nil {
		return nil // the disk
	}
	if open < stable {
		return fmt.Errorf("%s-%d: the last stable offset was %d, and the transaction that begins at %d has no durable end: what is seen may be taken back", txnTopic, p, stable, open)
	}
	from = r.txns.told.now()
	seen, err := r.committedIn(p)
	if err != nil {
		return nil // the disk
	}
	r.txns.told.read(from, p, seen)
	ids := slices.Sorted(maps.Keys(seen))
	// Who has read something of a transaction finds its offset, too.
	for _, c := range r.txns.clients {
		at, ok := r.groupOffset(c)
		for _, id := range ids {
			if t := r.txns.byID[id]; ok && t != nil && t.client == c.n && at < t.offset {
				return fmt.Errorf("%s-%d: %s of %s was read, and then the group's offset %d, which is before that of the transaction, %d", txnTopic, p, id, t.name, at, t.offset)
			}
		}
	}
	for q := range int32(txnPartitions) {
		from := r.txns.told.now()
		r.txns.told.stable(from, q, r.b.Partition(txnTopic, q).Log.LastStable())
	}
	for _, id := range ids {
		switch t := r.txns.byID[id]; {
		case t == nil:
			return fmt.Errorf("%s-%d: %s was sent by nobody", txnTopic, p, id)
		case t.outcome == txnCommitting:
			t.outcome = txnCommitted
		case t.outcome != txnCommitted:
			return fmt.Errorf("%s-%d: %s of %s is shown as committed: it is %s", txnTopic, p, id, t.name, t.outcome)
		}
	}
	for id, t := range r.txns.byID {
		i := slices.IndexFunc(t.records, func(rec txnRecord) bool { return rec.id == id })
		_, there := seen[id]
		if t.outcome == txnCommitted && i >= 0 && t.records[i].partition == p && t.records[i].offset < stable && !there {
			return fmt.Errorf("%s-%d: %s at offset %d of %s is lost: it was committed", txnTopic, p, id, t.records[i].offset, t.name)
		}
	}
	return nil
}

// openIn walks over all that is durable, and returns where the earliest transaction
// begins that has no end there; the high watermark when there is none.
func (r *run) openIn(l *plog.Log) (int64, error) {
	hw := l.HighWatermark()
	open := map[int64]int64{}
	for next := l.Start(); next < hw; {
		data, err := l.Read(next, 16<<10, true)
		if err != nil {
			return 0, r.txnRead(err)
		}
		for len(data) > 0 {
			var b kafka.Batch
			if b, data, err = kafka.NextBatch(data); err != nil {
				r.fail("read: %v", err)
			}
			if _, is := open[b.ProducerID()]; b.Control() {
				delete(open, b.ProducerID())
			} else if !is {
				open[b.ProducerID()] = b.BaseOffset()
			}
			next = b.NextOffset()
		}
	}
	for _, first := range open {
		hw = min(hw, first)
	}
	return hw, nil
}

// committedIn reads the values of a partition that readers of committed data see, with
// their offsets.
func (r *run) committedIn(p int32) (map[string]int64, error) {
	at := r.b.Partition(txnTopic, p)
	seen := map[string]int64{}
	for next := at.Log.Start(); ; {
		recs, err := at.Log.FetchStable(next, 4<<10, true)
		if err != nil {
			return nil, r.txnRead(err)
		}
		if recs.Size() == 0 {
			return seen, nil
		}
		to := recs.Next()
		data := make([]byte, recs.Size())
		_, err = recs.ReadAt(data, 0)
		recs.Release()
		if err != nil {
			return nil, r.txnRead(err)
		}
		aborted, err := at.Log.Aborted(next, to)
		if err != nil {
			return nil, r.txnRead(err)
		}
		if err := seeCommitted(data, next, aborted, seen); err != nil {
			r.fail("%s-%d: %v", txnTopic, p, err)
		}
		next = to
	}
}

// txnRead is an error of reading that only a failing disk may give.
func (r *run) txnRead(err error) error {
	if !r.faulty() && !errors.Is(err, kerr.OffsetOutOfRange) {
		r.fail("read committed: %v", err)
	}
	return err
}

// seeCommitted takes the values out of batches as clients do (KIP-98).
func seeCommitted(data []byte, from int64, aborted []plog.AbortedTxn, seen map[string]int64) error {
	if !slices.IsSortedFunc(aborted, func(a, b plog.AbortedTxn) int { return int(a.First - b.First) }) {
		return fmt.Errorf("aborted transactions are not sorted: %v", aborted)
	}
	gone := map[int64]bool{}
	for len(data) > 0 {
		b, rest, err := kafka.NextBatch(data)
		if err != nil {
			return err
		}
		data = rest
		for len(aborted) > 0 && aborted[0].First <= b.LastOffset() {
			gone[aborted[0].ProducerID] = true
			aborted = aborted[1:]
		}
		if b.Control() {
			if m, _, _ := b.Marker(); !m.Commit {
				delete(gone, m.ProducerID)
			}
			continue
		}
		if gone[b.ProducerID()] {
			continue
		}
		for rec, err := range b.Records(1 << 20) {
			if err != nil {
				return err
			}
			if rec.Offset >= from {
				seen[string(rec.Value)] = rec.Offset
			}
		}
	}
	return nil
}
