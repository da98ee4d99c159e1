// Package kafka holds the words of the protocol that the whole broker side
// shares: record batches, topic ids, the version table. It imports nothing of
// ours. Error codes are franz-go's kerr.
package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Layout of a record batch v2 (KIP-98; kafka "DefaultRecordBatch"). The CRC
// covers everything from the attributes on, so base offset and leader epoch
// can be set by the broker without touching it.
const (
	offBaseOffset      = 0
	offLength          = 8
	offLeaderEpoch     = 12
	offMagic           = 16
	offCRC             = 17
	offAttributes      = 21
	offLastOffsetDelta = 23
	offFirstTimestamp  = 27
	offMaxTimestamp    = 35
	offProducerID      = 43
	offProducerEpoch   = 51
	offBaseSequence    = 53
	offNumRecords      = 57
	// BatchOverhead is the size of a batch without its records.
	BatchOverhead = 61
	// LogOverhead is the part of a batch that its length field does not count.
	LogOverhead = 12
)

// Attribute bits of a batch.
const (
	attrCodec         = 0x07
	attrTimestampType = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
)

// Codec is a batch's compression, in the numbers of the protocol.
type Codec int8

// The codecs of the protocol.
const (
	CodecNone Codec = iota
	CodecGzip
	CodecSnappy
	CodecLZ4
	CodecZstd
)

// NoProducerID is the producer id of a batch without one.
const NoProducerID = -1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// CRC32C is the checksum of record batches and of our own files.
func CRC32C(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// CRC32CUpdate goes on with a checksum over more bytes.
func CRC32CUpdate(crc uint32, b []byte) uint32 { return crc32.Update(crc, castagnoli, b) }

// Batch is a view of one record batch v2. Its accessors need a batch that
// NextBatch framed.
type Batch []byte

func (b Batch) i64(at int) int64 { return int64(binary.BigEndian.Uint64(b[at:])) }
func (b Batch) i32(at int) int32 { return int32(binary.BigEndian.Uint32(b[at:])) }
func (b Batch) i16(at int) int16 { return int16(binary.BigEndian.Uint16(b[at:])) }

// BaseOffset is the offset of the first record, also when compaction removed it.
func (b Batch) BaseOffset() int64 { return b.i64(offBaseOffset) }

// LeaderEpoch is the epoch of the leader that appended the batch.
func (b Batch) LeaderEpoch() int32 { return b.i32(offLeaderEpoch) }

// Magic is the format version; 2 for every batch this broker stores.
func (b Batch) Magic() int8 { return int8(b[offMagic]) }

// CRC is the checksum that the batch carries.
func (b Batch) CRC() uint32 { return binary.BigEndian.Uint32(b[offCRC:]) }

// Attributes are the batch's flag bits.
func (b Batch) Attributes() int16 { return b.i16(offAttributes) }

// LastOffsetDelta is the last record's offset relative to the base offset.
func (b Batch) LastOffsetDelta() int32 { return b.i32(offLastOffsetDelta) }

// LastOffset is the offset of the last record.
func (b Batch) LastOffset() int64 { return b.BaseOffset() + int64(b.LastOffsetDelta()) }

// NextOffset is the offset that follows the batch.
func (b Batch) NextOffset() int64 { return b.LastOffset() + 1 }

// FirstTimestamp is the base of the record timestamps, ms since 1970.
func (b Batch) FirstTimestamp() int64 { return b.i64(offFirstTimestamp) }

// MaxTimestamp is the largest record timestamp, ms since 1970.
func (b Batch) MaxTimestamp() int64 { return b.i64(offMaxTimestamp) }

// ProducerID is the producer's id; NoProducerID when it has none.
func (b Batch) ProducerID() int64 { return b.i64(offProducerID) }

// ProducerEpoch is the producer's epoch.
func (b Batch) ProducerEpoch() int16 { return b.i16(offProducerEpoch) }

// BaseSequence is the sequence number of the first record; -1 when none.
func (b Batch) BaseSequence() int32 { return b.i32(offBaseSequence) }

// LastSequence is the sequence number of the last record. Sequences wrap to 0
// after 2^31-1.
func (b Batch) LastSequence() int32 {
	return int32((int64(b.BaseSequence()) + int64(b.LastOffsetDelta())) & 0x7fffffff)
}

// NumRecords is the number of records in the batch.
func (b Batch) NumRecords() int32 { return b.i32(offNumRecords) }

// Codec is the batch's compression.
func (b Batch) Codec() Codec { return Codec(b.Attributes() & attrCodec) }

// LogAppendTime reports whether the timestamps are the broker's.
func (b Batch) LogAppendTime() bool { return b.Attributes()&attrTimestampType != 0 }

// Transactional reports whether the batch belongs to a transaction.
func (b Batch) Transactional() bool { return b.Attributes()&attrTransactional != 0 }

// Control reports whether the batch holds markers instead of data.
func (b Batch) Control() bool { return b.Attributes()&attrControl != 0 }

// Body is what follows the header: the records, compressed or not.
func (b Batch) Body() []byte { return b[BatchOverhead:] }

// SetBaseOffset sets the offset of the first record.
func (b Batch) SetBaseOffset(o int64) { binary.BigEndian.PutUint64(b[offBaseOffset:], uint64(o)) }

// SetLeaderEpoch sets the epoch of the leader that appends the batch.
func (b Batch) SetLeaderEpoch(e int32) { binary.BigEndian.PutUint32(b[offLeaderEpoch:], uint32(e)) }

// SetLogAppendTime turns the batch's timestamps into the broker's time ts (ms)
// and computes the checksum anew (KIP-32).
func (b Batch) SetLogAppendTime(ts int64) {
	binary.BigEndian.PutUint16(b[offAttributes:], uint16(b.Attributes()|attrTimestampType))
	binary.BigEndian.PutUint64(b[offMaxTimestamp:], uint64(ts))
	b.setCRC()
}

func (b Batch) setCRC() { binary.BigEndian.PutUint32(b[offCRC:], CRC32C(b[offAttributes:])) }

// Errors of a batch that cannot be what it says.
var (
	// ErrBatchShort says that the bytes end before the batch does.
	ErrBatchShort = errors.New("record batch is cut short")
	// ErrBatchMagic says that the batch has a format older or newer than v2.
	ErrBatchMagic = errors.New("record batch is not format v2")
	// ErrBatchCRC says that the checksum does not match the bytes.
	ErrBatchCRC = errors.New("record batch fails its CRC")
	// ErrBatchInvalid says that the header contradicts itself or the records.
	ErrBatchInvalid = errors.New("record batch is invalid")
)

// NextBatch frames one batch at the start of p and returns it and what
// follows. It checks length and magic only; nothing is copied.
func NextBatch(p []byte) (Batch, []byte, error) {
	if len(p) < LogOverhead+5 {
		return nil, p, fmt.Errorf("%w: %d bytes, a header has %d", ErrBatchShort, len(p), BatchOverhead)
	}
	if m := p[offMagic]; m != 2 {
		return nil, p, fmt.Errorf("%w: magic %d", ErrBatchMagic, m)
	}
	n := int64(int32(binary.BigEndian.Uint32(p[offLength:]))) + LogOverhead
	if n < BatchOverhead {
		return nil, p, fmt.Errorf("%w: length %d is less than the header's %d", ErrBatchInvalid, n, BatchOverhead)
	}
	if n > int64(len(p)) {
		return nil, p, fmt.Errorf("%w: length says %d bytes, %d are there", ErrBatchShort, n, len(p))
	}
	return Batch(p[:n:n]), p[n:], nil
}

// VerifyCRC compares the batch's checksum with its bytes.
func (b Batch) VerifyCRC() error {
	if got := CRC32C(b[offAttributes:]); got != b.CRC() {
		return fmt.Errorf("%w: has %08x, bytes give %08x", ErrBatchCRC, b.CRC(), got)
	}
	return nil
}

// Size is the length that the batch's header says, in bytes; for a view of the
// header alone.
func (b Batch) Size() int { return int(b.i32(offLength)) + LogOverhead }
