package plog

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/mutant"
)

// AbortedTxn is a transaction that was aborted, as a log's transaction index has it
// (KIP-98): readers of committed data leave out what its producer has in First..Last.
type AbortedTxn struct {
	ProducerID int64
	// First is the first offset of its data in the log, Last that of its marker.
	First, Last int64
	// Stable is what the last stable offset was with the marker, durability aside.
	Stable int64
}

// txnEntry is the size of an entry in Kafka's format: version 0 (2 bytes), producer
// id, first, last and last stable offset (8 each), big endian, in the order of the
// markers.
const txnEntry = 34

func (a *AbortedTxn) append(b []byte) []byte {
	b = append(b, 0, 0)
	return appendInts(b, a.ProducerID, a.First, a.Last, a.Stable)
}

// decodeAborted reads the entries of a transaction index.
func decodeAborted(b []byte) ([]AbortedTxn, error) {
	if len(b)%txnEntry != 0 {
		return nil, fmt.Errorf("a transaction index of %d bytes: entries have %d", len(b), txnEntry)
	}
	out := make([]AbortedTxn, 0, len(b)/txnEntry)
	for ; len(b) > 0; b = b[txnEntry:] {
		if v := binary.BigEndian.Uint16(b); v != 0 {
			return nil, fmt.Errorf("a transaction index with an entry of version %d", v)
		}
		var a AbortedTxn
		r := reader{b: b[2:txnEntry]}
		r.ints(&a.ProducerID, &a.First, &a.Last, &a.Stable)
		out = append(out, a)
	}
	return out, nil
}

// markerOf returns what a batch says when it ends a transaction, else nil.
func markerOf(b kafka.Batch) (*kafka.Marker, error) {
	m, ok, err := b.Marker()
	if !ok {
		return nil, err
	}
	return &m, nil
}

// Aborted returns the aborted transactions that have data or their marker in the
// offsets from..to (to itself not), by first offset: what a reader of committed data
// in that range, below the last stable offset, has to know. The error is
// kerr.KafkaStorageError.
func (l *Log) Aborted(from, to int64) ([]AbortedTxn, error) {
	for {
		out, err := l.abortedIn(from, to)
		if !errors.Is(err, errMoved) {
			return out, err
		}
	}
}

func (l *Log) abortedIn(from, to int64) ([]AbortedTxn, error) {
	l.mu.RLock()
	var segs []segment
	for _, s := range l.segs {
		if s.next > from && s.aborts > 0 {
			segs = append(segs, *s)
		}
	}
	fresh := l.aborted[:len(l.aborted):len(l.aborted)]
	l.mu.RUnlock()
	var out []AbortedTxn
	// What ended when everything below `to` was stable began behind it, as does all
	// that ended later.
	add := func(as []AbortedTxn) (done bool) {
		for _, a := range as {
			if a.Last >= from && a.First < to {
				out = append(out, a)
			}
			if a.Stable >= to {
				return true
			}
		}
		return false
	}
	done := false
	for i := 0; i < len(segs) && !done; i++ {
		var err error
		if done, err = l.walkAborted(&segs[i], from, add); err != nil {
			return nil, err
		}
	}
	if !done {
		add(fresh)
	}
	slices.SortStableFunc(out, func(a, b AbortedTxn) int { return cmp.Compare(a.First, b.First) })
	if mutant.On("abort-forgotten") && len(out) > 1 {
		out = out[:len(out)-1]
	}
	return out, nil
}

// walkChunk is how many entries of a transaction index are read at a time.
const walkChunk = 128

// walkAborted calls add with the entries of a segment's transaction index (a view) whose
// marker is at or above from, some at a time, until it says that it is done: they are in
// the order of the markers.
func (l *Log) walkAborted(seg *segment, from int64, add func([]AbortedTxn) (done bool)) (done bool, err error) {
	f, err := l.openSegment(seg, txnSuffix)
	if err != nil {
		return false, err
	}
	defer l.store.files.done(f)
	n := int(seg.aborts / txnEntry)
	read := func(i, n int) (as []AbortedTxn) {
		b := make([]byte, n*txnEntry)
		_, rerr := f.ReadAt(b, int64(i)*txnEntry)
		if rerr == nil {
			as, rerr = decodeAborted(b)
		}
		if rerr != nil {
			err = readError(l, rerr)
		}
		return as
	}
	at := sort.Search(n, func(i int) bool {
		as := read(i, 1)
		return len(as) == 0 || as[0].Last >= from
	})
	for ; at < n && err == nil; at += walkChunk {
		if add(read(at, min(walkChunk, n-at))) {
			return true, err
		}
	}
	return false, err
}

// readAborted reads all of the transaction index of a segment (a view).
func (l *Log) readAborted(seg *segment) ([]AbortedTxn, error) {
	if seg.aborts == 0 {
		return nil, nil
	}
	b, err := l.indexBytes(seg, txnSuffix)
	if err == nil {
		var out []AbortedTxn
		if out, err = decodeAborted(b); err == nil {
			return out, nil
		}
	}
	return nil, readError(l, err)
}

// writeAborted appends the aborted transactions whose marker is in the segment to its
// transaction index; st is the segment as the checkpoint will have it.
func (s *Store) writeAborted(l *Log, seg, st *segment, aborted []AbortedTxn, sync *syncSet) error {
	var entries []byte
	for i := range aborted {
		if a := &aborted[i]; a.Last >= seg.base && a.Last < st.next {
			entries = a.append(entries)
		}
	}
	if err := s.appendIndex(l, st, txnSuffix, entries, st.aborts, sync); err != nil {
		return err
	}
	st.aborts += uint32(len(entries))
	return nil
}
