package kafka

import (
	"encoding/binary"
	"fmt"
	"math"
)

// BatchSpec says what a batch holds beside its records. Its zero value is a
// plain, uncompressed batch with the records' own timestamps.
type BatchSpec struct {
	BaseOffset  int64
	LeaderEpoch int32
	Codec       Codec
	// Producer is the idempotent producer the batch comes from; nil = none.
	Producer      *ProducerSpec
	Transactional bool
	// Control says that the record is the broker's own mark and no data.
	Control bool
	// LogAppendTime > 0 is the broker's time (ms) for every record.
	LogAppendTime int64
}

// ProducerSpec is where a batch stands in an idempotent producer's sequence.
type ProducerSpec struct {
	ID       int64
	Epoch    int16
	Sequence int32
}

// Build makes a batch of the records, which get consecutive offsets from
// spec.BaseOffset on; their own Offset is not looked at. It needs at least one
// record and at most 2^31-1, and panics otherwise or for an unknown codec.
func Build(spec BatchSpec, records []Record) Batch {
	if len(records) == 0 || len(records) > math.MaxInt32 || !spec.Codec.Known() {
		panic(fmt.Sprintf("kafka: Build of %d records with %s", len(records), spec.Codec))
	}
	first, maxTS := records[0].Timestamp, records[0].Timestamp
	size := 0
	for i := range records {
		maxTS = max(maxTS, records[i].Timestamp)
		n := recordLen(&records[i], records[i].Timestamp-first, int64(i))
		size += n + varintLen(int64(n))
	}
	attrs := int16(spec.Codec)
	if spec.LogAppendTime > 0 {
		attrs |= attrTimestampType
		maxTS = spec.LogAppendTime
	}
	if spec.Transactional {
		attrs |= attrTransactional
	}
	if spec.Control {
		attrs |= attrControl
	}
	body := make([]byte, BatchOverhead, BatchOverhead+size)
	for i := range records {
		body = appendRecord(body, &records[i], records[i].Timestamp-first, int64(i))
	}
	b := Batch(body)
	if spec.Codec != CodecNone {
		b = compress(make([]byte, BatchOverhead, BatchOverhead+size/2), spec.Codec, body[BatchOverhead:])
	}
	producer := ProducerSpec{ID: NoProducerID, Epoch: -1, Sequence: -1}
	if spec.Producer != nil {
		producer = *spec.Producer
	}
	b.SetBaseOffset(spec.BaseOffset)
	b.SetLeaderEpoch(spec.LeaderEpoch)
	b[offMagic] = 2
	binary.BigEndian.PutUint16(b[offAttributes:], uint16(attrs))
	binary.BigEndian.PutUint32(b[offLastOffsetDelta:], uint32(len(records)-1))
	binary.BigEndian.PutUint64(b[offFirstTimestamp:], uint64(first))
	binary.BigEndian.PutUint64(b[offMaxTimestamp:], uint64(maxTS))
	binary.BigEndian.PutUint64(b[offProducerID:], uint64(producer.ID))
	binary.BigEndian.PutUint16(b[offProducerEpoch:], uint16(producer.Epoch))
	binary.BigEndian.PutUint32(b[offBaseSequence:], uint32(producer.Sequence))
	binary.BigEndian.PutUint32(b[offNumRecords:], uint32(len(records)))
	b.seal()
	return b
}

// Recompress returns the batch with its records under another codec and all
// else as it was: what a topic's own compression.type does. The batch itself
// comes back when it has that codec already. Opening is bounded by limit bytes.
func (b Batch) Recompress(c Codec, limit int64) (Batch, error) {
	if b.Codec() == c {
		return b, nil
	}
	body, err := decompress(nil, b.Codec(), b.Body(), limit)
	if err != nil {
		return nil, err
	}
	out := make(Batch, BatchOverhead, BatchOverhead+len(body))
	copy(out, b[:BatchOverhead])
	out = compress(out, c, body)
	binary.BigEndian.PutUint16(out[offAttributes:], uint16(out.Attributes()&^attrCodec|int16(c)))
	out.seal()
	return out, nil
}

// seal sets the length and the checksum, the last two things to be known.
func (b Batch) seal() {
	binary.BigEndian.PutUint32(b[offLength:], uint32(len(b)-LogOverhead))
	b.setCRC()
}

func nullableLen(v []byte) int {
	if v == nil {
		return 1
	}
	return varintLen(int64(len(v))) + len(v)
}

// recordLen is the encoded record's length without the length itself.
func recordLen(r *Record, timestampDelta, offsetDelta int64) int {
	n := 1 + varintLen(timestampDelta) + varintLen(offsetDelta) +
		nullableLen(r.Key) + nullableLen(r.Value) + varintLen(int64(len(r.Headers)))
	for _, h := range r.Headers {
		n += varintLen(int64(len(h.Key))) + len(h.Key) + nullableLen(h.Value)
	}
	return n
}

func appendRecord(p []byte, r *Record, timestampDelta, offsetDelta int64) []byte {
	p = appendVarint(p, int64(recordLen(r, timestampDelta, offsetDelta)))
	p = append(p, 0) // attributes
	p = appendVarint(p, timestampDelta)
	p = appendVarint(p, offsetDelta)
	p = appendNullable(p, r.Key)
	p = appendNullable(p, r.Value)
	p = appendVarint(p, int64(len(r.Headers)))
	for _, h := range r.Headers {
		p = appendVarint(p, int64(len(h.Key)))
		p = append(p, h.Key...)
		p = appendNullable(p, h.Value)
	}
	return p
}

func appendNullable(p, v []byte) []byte {
	if v == nil {
		return appendVarint(p, -1)
	}
	return append(appendVarint(p, int64(len(v))), v...)
}
