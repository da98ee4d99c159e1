package plog

import (
	"errors"
	"io"
	"sync"

	"github.com/leatdev/leat/internal/kafka"
)

// blockSize is how much of a segment is read at a time to look at its batches: it
// stays in a core's own cache until it is summed.
const blockSize = 128 << 10

var blocks = sync.Pool{New: func() any { return new([blockSize]byte) }}

// blockReader reads a file's bytes below end a block at a time. Its memory comes
// from a pool: call done.
type blockReader struct {
	f     io.ReaderAt
	end   int64
	block *[blockSize]byte
	at    int64 // of the first byte in the block
	n     int   // bytes in it
	ahead int   // how much is read at a time
}

// headersAhead is how much is read at a time by who looks at headers alone.
const headersAhead = 16 << 10

func newBlockReader(f io.ReaderAt, end int64) *blockReader {
	return &blockReader{f: f, end: end, ahead: blockSize, block: blocks.Get().(*[blockSize]byte)}
}

func (r *blockReader) done() { blocks.Put(r.block) }

// bytes returns n bytes at pos, valid until the next call; n is at most blockSize. With
// fewer left below end or in the file the error is io.ErrUnexpectedEOF.
func (r *blockReader) bytes(pos int64, n int) ([]byte, error) {
	if pos+int64(n) > r.end {
		return nil, io.ErrUnexpectedEOF
	}
	if pos < r.at || pos+int64(n) > r.at+int64(r.n) {
		want := min(int64(max(r.ahead, n)), r.end-pos)
		got, err := r.f.ReadAt(r.block[:want], pos)
		r.at, r.n = pos, got
		if got < n {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			r.n = 0
			return nil, err
		}
	}
	return r.block[pos-r.at:][:n], nil
}

// header returns the header of the batch at pos, valid until the next call.
func (r *blockReader) header(pos uint32) (kafka.Batch, error) {
	b, err := r.bytes(int64(pos), kafka.BatchOverhead)
	return kafka.Batch(b), err
}

// crc sums the bytes from..to.
func (r *blockReader) crc(from, to int64) (sum uint32, err error) {
	for from < to {
		n := to - from
		if have := r.at + int64(r.n) - from; from >= r.at && have > 0 {
			n = min(n, have)
		} else {
			n = min(n, blockSize)
		}
		b, err := r.bytes(from, int(n))
		if err != nil {
			return 0, err
		}
		sum = kafka.CRC32CUpdate(sum, b)
		from += n
	}
	return sum, nil
}
