package raw

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"time"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batchHeader is the length of a record batch's header, format 2.
const batchHeader = 61

// Batch encodes a record batch (format 2, Kafka's documentation "Record Batch") of
// n records without keys, with values of size random bytes: no codec and no file
// system can make them smaller.
func Batch(n, size int) []byte {
	value := make([]byte, size)
	rnd := rand.NewChaCha8([32]byte{1})
	b := make([]byte, batchHeader, batchHeader+n*(size+16))
	var record []byte
	for i := range n {
		_, _ = rnd.Read(value)                         // never fails
		record = append(record[:0], 0)                 // attributes
		record = binary.AppendVarint(record, 0)        // timestamp delta
		record = binary.AppendVarint(record, int64(i)) // offset delta
		record = binary.AppendVarint(record, -1)       // no key
		record = binary.AppendVarint(record, int64(len(value)))
		record = append(record, value...)
		record = binary.AppendVarint(record, 0) // headers
		b = binary.AppendVarint(b, int64(len(record)))
		b = append(b, record...)
	}
	now := uint64(time.Now().UnixMilli())
	be := binary.BigEndian
	be.PutUint32(b[8:], uint32(len(b)-12)) // what follows the length
	be.PutUint32(b[12:], ^uint32(0))       // leader epoch: unknown
	b[16] = 2                              // magic
	be.PutUint32(b[23:], uint32(n-1))      // last offset delta
	be.PutUint64(b[27:], now)
	be.PutUint64(b[35:], now)
	be.PutUint64(b[43:], ^uint64(0)) // no producer id
	be.PutUint16(b[51:], ^uint16(0))
	be.PutUint32(b[53:], ^uint32(0))
	be.PutUint32(b[57:], uint32(n))
	be.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	return b
}

// span reads of the batch at the start of b its length, its first and its last
// offset. It is false where b holds no whole batch: Fetch cuts the last one.
func span(b []byte) (n int, first, last int64, ok bool) {
	if len(b) < batchHeader {
		return 0, 0, 0, false
	}
	n = 12 + int(binary.BigEndian.Uint32(b[8:]))
	if n < batchHeader || n > len(b) {
		return 0, 0, 0, false
	}
	first = int64(binary.BigEndian.Uint64(b))
	return n, first, first + int64(binary.BigEndian.Uint32(b[23:])), true
}

// Value is size random bytes.
func Value(size int) []byte {
	value := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(value) // never fails
	return value
}
