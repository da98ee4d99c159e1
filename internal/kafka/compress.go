package kafka

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// compress appends src, compressed, to dst. The codec must be known.
func compress(dst []byte, c Codec, src []byte) []byte {
	switch c {
	case CodecNone:
		return append(dst, src...)
	case CodecGzip:
		z := gzipWriters.Get().(*gzip.Writer)
		defer gzipWriters.Put(z)
		out := bytes.NewBuffer(dst)
		z.Reset(out)
		must(z.Write(src))
		must(0, z.Close())
		return out.Bytes()
	case CodecSnappy:
		// A bare block: every client reads it, the Java one too.
		return append(dst, snappy.Encode(nil, src)...)
	case CodecLZ4:
		z := lz4Writers.Get().(*lz4.Writer)
		defer lz4Writers.Put(z)
		out := bytes.NewBuffer(dst)
		z.Reset(out)
		must(z.Write(src))
		must(0, z.Close())
		return out.Bytes()
	case CodecZstd:
		return zstdEncoder().EncodeAll(src, dst)
	}
	panic(fmt.Sprintf("kafka: compress with %s", c))
}

var gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// Independent blocks of 64 KiB without a checksum of the content are what
// Kafka's own writer makes.
var lz4Writers = sync.Pool{New: func() any {
	z := lz4.NewWriter(nil)
	must(0, z.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false), lz4.ConcurrencyOption(1)))
	return z
}}

var zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	must(0, err)
	return e
})

// must: writers over a buffer in memory fail only by a mistake of ours.
func must(_ int, err error) {
	if err != nil {
		panic("kafka: compress: " + err.Error())
	}
}
