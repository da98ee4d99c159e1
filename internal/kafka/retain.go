package kafka

import "encoding/binary"

// attrDeleteHorizon says that the first timestamp is the time (ms) from which
// on the cleaner may drop the batch's tombstones (KIP-534). Only the cleaner
// sets it.
const attrDeleteHorizon = 0x40

// DeleteHorizon is the time (ms) from which on the batch's tombstones may go;
// false while the cleaner has not seen it.
func (b Batch) DeleteHorizon() (int64, bool) {
	return b.FirstTimestamp(), b.Attributes()&attrDeleteHorizon != 0
}

// Retain returns the batch with only the records that keep wants, for log
// compaction (Kafka's MemoryRecords.filterTo). Offsets, sequence and epoch stay
// what they are: base offset, last offset delta and base sequence are those of
// the whole batch. Where a kept record is a tombstone (a key, no value) and the
// batch has no delete horizon, it gets the given one (ms).
//
// The batch itself comes back when nothing changes. One without records comes
// back when keep wants none: the caller decides whether it must stay for its
// producer's sequence. An error wraps ErrBatchInvalid; opening is bounded by
// limit bytes.
func (b Batch) Retain(limit, horizon int64, keep func(r *Record) bool) (Batch, error) {
	return b.retain(limit, horizon, false, keep)
}

// WithDeleteHorizon returns the batch with the delete horizon (ms), unless it has
// one: what the cleaner does with a marker whose transaction has no data left. An
// error wraps ErrBatchInvalid.
func (b Batch) WithDeleteHorizon(horizon int64) (Batch, error) {
	return b.retain(int64(len(b)), horizon, true, func(*Record) bool { return true })
}

// retain is Retain; always gives the horizon also to a batch without tombstones.
func (b Batch) retain(limit, horizon int64, always bool, keep func(r *Record) bool) (Batch, error) {
	body := b.Body()
	if b.Codec() != CodecNone && b.NumRecords() > 0 {
		var err error
		if body, err = decompress(nil, b.Codec(), body, limit); err != nil {
			return nil, err
		}
	}
	var kept []keptRecord
	tombstones := false
	maxTS := int64(noTimestamp)
	var raw rawRecord
	w := walker{b: b, rest: body}
	for w.next(&raw) {
		// Headers do not decide about a record and are left encoded.
		r := Record{Offset: b.BaseOffset() + int64(raw.offsetDelta), Timestamp: b.timestamp(&raw), Key: raw.key, Value: raw.value}
		if !keep(&r) {
			continue
		}
		kept = append(kept, keptRecord{raw.encoded, r.Timestamp})
		tombstones = tombstones || raw.key != nil && raw.value == nil
		maxTS = max(maxTS, r.Timestamp)
	}
	if w.err != nil {
		return nil, w.err
	}
	base, has := b.DeleteHorizon()
	mark := (tombstones || always) && !has
	switch {
	case len(kept) == int(b.NumRecords()) && !mark:
		return b, nil
	case len(kept) == 0:
		return b.emptied(), nil
	case mark:
		base = horizon
	case !has:
		base = kept[0].timestamp
	}
	out := make(Batch, BatchOverhead, BatchOverhead+len(body)+8)
	copy(out, b[:BatchOverhead])
	if mark {
		binary.BigEndian.PutUint16(out[offAttributes:], uint16(b.Attributes()|attrDeleteHorizon))
	}
	binary.BigEndian.PutUint64(out[offFirstTimestamp:], uint64(base))
	if !b.LogAppendTime() {
		binary.BigEndian.PutUint64(out[offMaxTimestamp:], uint64(maxTS))
	}
	binary.BigEndian.PutUint32(out[offNumRecords:], uint32(len(kept)))
	records := make([]byte, 0, len(body))
	for _, r := range kept {
		records = appendRebased(records, r.encoded, r.timestamp-base)
	}
	out = compress(out, b.Codec(), records)
	out.seal()
	return out, nil
}

type keptRecord struct {
	encoded   []byte
	timestamp int64
}

// emptied is the batch without its records, as Kafka writes it.
func (b Batch) emptied() Batch {
	out := make(Batch, BatchOverhead)
	copy(out, b)
	binary.BigEndian.PutUint16(out[offAttributes:], uint16(b.Attributes()&^(attrCodec|attrDeleteHorizon)))
	binary.BigEndian.PutUint64(out[offFirstTimestamp:], ^uint64(0)) // no timestamp
	binary.BigEndian.PutUint32(out[offNumRecords:], 0)
	out.seal()
	return out
}

// appendRebased writes an encoded record with another timestamp delta (ms) and
// everything else as it was.
func appendRebased(p, encoded []byte, delta int64) []byte {
	_, at := varint(encoded)
	attributes, body := encoded[at], encoded[at+1:]
	_, n := varint(body)
	rest := body[n:]
	p = appendVarint(p, int64(1+varintLen(delta)+len(rest)))
	p = append(p, attributes)
	p = appendVarint(p, delta)
	return append(p, rest...)
}
