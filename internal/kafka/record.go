package kafka

import (
	"fmt"
	"iter"
	"math"
)

// Record is one record of a batch. Key and Value nil mean null, which is not
// the same as empty. Its bytes are views: see Batch.Records for how long they
// last.
type Record struct {
	Offset    int64
	Timestamp int64 // ms since 1970; -1 = none
	Key       []byte
	Value     []byte
	Headers   []Header
}

// Header is one header of a record. Keys may repeat and their order counts.
type Header struct {
	Key   string
	Value []byte // nil = null
}

// Records yields the batch's records in order. A compressed batch is opened
// first, into at most limit bytes; an error, which wraps ErrBatchInvalid, is
// yielded once and ends the sequence. The records' bytes are views of the
// batch, or of the opened copy that belongs to the caller: they stay good as
// long as the batch's own bytes do.
func (b Batch) Records(limit int64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		body := b.Body()
		if b.Codec() != CodecNone && b.NumRecords() > 0 {
			var err error
			if body, err = decompress(nil, b.Codec(), body, limit); err != nil {
				yield(Record{}, err)
				return
			}
		}
		w := walker{b: b, rest: body}
		var raw rawRecord
		for w.next(&raw) {
			rec, err := b.record(&raw)
			if err != nil {
				yield(Record{}, fmt.Errorf("record %d: %w", w.index-1, err))
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
		if w.err != nil {
			yield(Record{}, w.err)
		}
	}
}

func (b Batch) record(raw *rawRecord) (Record, error) {
	rec := Record{
		Offset:    b.BaseOffset() + int64(raw.offsetDelta),
		Timestamp: b.timestamp(raw),
		Key:       raw.key,
		Value:     raw.value,
	}
	if raw.numHeaders > 0 {
		rec.Headers = make([]Header, 0, raw.numHeaders)
		rest := raw.headers
		for range raw.numHeaders {
			var k, v []byte
			var ok bool
			if k, v, rest, ok = readHeader(rest); !ok {
				return rec, fmt.Errorf("%w: bad headers", ErrBatchInvalid)
			}
			rec.Headers = append(rec.Headers, Header{Key: string(k), Value: v})
		}
	}
	return rec, nil
}

func (b Batch) timestamp(raw *rawRecord) int64 {
	if b.LogAppendTime() {
		return b.MaxTimestamp()
	}
	return b.FirstTimestamp() + raw.timestampDelta
}

// rawRecord is a record as the batch encodes it. All slices are views.
type rawRecord struct {
	timestampDelta int64
	offsetDelta    int32
	numHeaders     int32
	key, value     []byte
	headers        []byte // encoded, without their count
	encoded        []byte // the whole record with its length
}

// walker steps over the opened records of a batch without allocating.
type walker struct {
	b     Batch
	rest  []byte
	index int32
	err   error
}

// next reads one record into r. False means the end or, when w.err is set, a
// record that cannot be read.
func (w *walker) next(r *rawRecord) bool {
	if n := w.b.NumRecords(); w.index >= n {
		if len(w.rest) > 0 {
			w.err = fmt.Errorf("%w: %d bytes follow its %d records", ErrBatchInvalid, len(w.rest), n)
		}
		return false
	}
	n, what := readRecord(w.rest, r)
	if what != "" {
		w.err = fmt.Errorf("%w: record %d of %d: %s", ErrBatchInvalid, w.index, w.b.NumRecords(), what)
		return false
	}
	w.rest = w.rest[n:]
	w.index++
	return true
}

// readRecord reads one record (KIP-98) at the start of p. It returns the bytes
// taken, or what is wrong with them.
func readRecord(p []byte, r *rawRecord) (n int, what string) {
	length, at := varint(p)
	if at == 0 {
		return 0, "its length is cut short or not a varint"
	}
	if length < 0 || length > int64(len(p)-at) {
		return 0, fmt.Sprintf("its length is %d, %d bytes are there", length, len(p)-at)
	}
	end := at + int(length)
	r.encoded = p[:end:end]
	p = p[at:end]
	if len(p) < 1 {
		return 0, "it is empty"
	}
	p = p[1:] // attributes: none are defined
	var m int
	if r.timestampDelta, m = varint(p); m == 0 {
		return 0, "bad timestamp delta"
	}
	p = p[m:]
	delta, m := varint(p)
	if m == 0 || delta < 0 || delta > math.MaxInt32 {
		return 0, "bad offset delta"
	}
	r.offsetDelta = int32(delta)
	var ok bool
	if r.key, p, ok = nullable(p[m:]); !ok {
		return 0, "bad key"
	}
	if r.value, p, ok = nullable(p); !ok {
		return 0, "bad value"
	}
	count, m := varint(p)
	// A header takes at least two bytes, which bounds what a lie can allocate.
	if m == 0 || count < 0 || count > int64(len(p)-m)/2 {
		return 0, "bad header count"
	}
	r.numHeaders = int32(count)
	r.headers = p[m:]
	rest := r.headers
	for range count {
		if _, _, rest, ok = readHeader(rest); !ok {
			return 0, "bad headers"
		}
	}
	if len(rest) > 0 {
		return 0, fmt.Sprintf("%d bytes follow its headers", len(rest))
	}
	return end, ""
}

func readHeader(p []byte) (key, value, rest []byte, ok bool) {
	if key, p, ok = nullable(p); !ok || key == nil {
		return nil, nil, nil, false // a header's key is never null
	}
	value, p, ok = nullable(p)
	return key, value, p, ok
}

// nullable reads bytes with a varint length; a negative length is null.
func nullable(p []byte) (v, rest []byte, ok bool) {
	n, m := varint(p)
	if m == 0 || n > int64(len(p)-m) {
		return nil, nil, false
	}
	if n < 0 {
		return nil, p[m:], n == -1
	}
	end := m + int(n)
	return p[m:end:end], p[end:], true
}

// varint reads a zigzag varint of at most ten bytes. n is 0 when p holds none.
func varint(p []byte) (v int64, n int) {
	if len(p) > 0 && p[0] < 0x80 {
		return int64(p[0]>>1) ^ -int64(p[0]&1), 1
	}
	var u uint64
	for i, c := range p {
		if i == 9 && c > 1 {
			return 0, 0 // more than 64 bits
		}
		u |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return int64(u>>1) ^ -int64(u&1), i + 1
		}
	}
	return 0, 0
}

func appendVarint(p []byte, v int64) []byte {
	u := uint64(v)<<1 ^ uint64(v>>63)
	for u >= 0x80 {
		p = append(p, byte(u)|0x80)
		u >>= 7
	}
	return append(p, byte(u))
}

func varintLen(v int64) int {
	n := 1
	for u := (uint64(v)<<1 ^ uint64(v>>63)) >> 7; u > 0; u >>= 7 {
		n++
	}
	return n
}
