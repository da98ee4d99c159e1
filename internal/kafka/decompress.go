package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// ErrBatchExpands says that a compressed batch opens to more bytes than the
// caller allows. It wraps ErrBatchInvalid.
var ErrBatchExpands = fmt.Errorf("%w: it opens to more bytes than allowed", ErrBatchInvalid)

// decompress appends the opened src to dst[:0]. It never holds more than limit
// bytes of output, whatever the compressed data claims.
func decompress(dst []byte, c Codec, src []byte, limit int64) ([]byte, error) {
	var err error
	dst = dst[:0]
	switch c {
	case CodecNone:
		dst = append(dst, src...)
	case CodecGzip:
		dst, err = openGzip(dst, src, limit)
	case CodecSnappy:
		dst, err = openSnappy(dst, src, limit)
	case CodecLZ4:
		dst, err = openLZ4(dst, src, limit)
	case CodecZstd:
		dst, err = openZstd(dst, src, limit)
	default:
		return dst, fmt.Errorf("%w: unknown compression %d", ErrBatchInvalid, c)
	}
	switch {
	case errors.Is(err, ErrBatchInvalid):
		return dst, err
	case err != nil:
		return dst, fmt.Errorf("%w: %s data: %v", ErrBatchInvalid, c, err)
	}
	return dst, nil
}

func expands(limit int64) error { return fmt.Errorf("%w (%d)", ErrBatchExpands, limit) }

// Pooled readers keep their own view of the source, which is emptied after use:
// an idle one must not pin a request.
type gzipOpener struct {
	src bytes.Reader
	z   gzip.Reader
}

var gzipOpeners = sync.Pool{New: func() any { return new(gzipOpener) }}

func openGzip(dst, src []byte, limit int64) ([]byte, error) {
	o := gzipOpeners.Get().(*gzipOpener)
	defer gzipOpeners.Put(o)
	o.src.Reset(src)
	defer o.src.Reset(nil)
	if err := o.z.Reset(&o.src); err != nil {
		return dst, err
	}
	return readBounded(dst, &o.z, 3*len(src), limit)
}

type lz4Opener struct {
	src bytes.Reader
	z   *lz4.Reader
}

var lz4Openers = sync.Pool{New: func() any { return &lz4Opener{z: lz4.NewReader(nil)} }}

func openLZ4(dst, src []byte, limit int64) ([]byte, error) {
	o := lz4Openers.Get().(*lz4Opener)
	o.src.Reset(src)
	o.z.Reset(&o.src)
	dst, err := readBounded(dst, o.z, 3*len(src), limit)
	if err == nil || errors.Is(err, ErrBatchExpands) {
		o.src.Reset(nil)
		lz4Openers.Put(o) // one that failed inside may be in any state: dropped
	}
	return dst, err
}

// readBounded appends what r gives to dst, at most limit bytes; guess is how
// many there may be.
func readBounded(dst []byte, r io.Reader, guess int, limit int64) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			if int64(len(dst)) >= limit {
				// Full to the limit: only the end may follow.
				var one [1]byte
				switch _, err := io.ReadFull(r, one[:]); err {
				case nil:
					return dst, expands(limit)
				case io.EOF:
					return dst, nil
				default:
					return dst, err
				}
			}
			grown := make([]byte, len(dst), min(int64(max(2*cap(dst), guess, 512)), limit))
			copy(grown, dst)
			dst = grown
		}
		room := dst[len(dst):cap(dst)]
		if left := limit - int64(len(dst)); int64(len(room)) > left {
			room = room[:left]
		}
		if len(room) == 0 { // a reused buffer longer than the limit
			dst = dst[:len(dst):len(dst)]
			continue
		}
		n, err := r.Read(room)
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}

// xerialMagic starts the framing that Java's snappy-java puts around blocks;
// two version numbers follow it, then length-prefixed snappy blocks.
var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHeader = 16

func openSnappy(dst, src []byte, limit int64) ([]byte, error) {
	if !bytes.HasPrefix(src, xerialMagic) {
		return openSnappyBlock(dst, src, limit)
	}
	if len(src) < xerialHeader {
		return dst, io.ErrUnexpectedEOF
	}
	src = src[xerialHeader:]
	for len(src) > 0 {
		if len(src) < 4 {
			return dst, io.ErrUnexpectedEOF
		}
		n := int64(int32(binary.BigEndian.Uint32(src)))
		src = src[4:]
		if n < 0 || n > int64(len(src)) {
			return dst, fmt.Errorf("block of %d bytes, %d are there", n, len(src))
		}
		var err error
		if dst, err = openSnappyBlock(dst, src[:n], limit); err != nil {
			return dst, err
		}
		src = src[n:]
	}
	return dst, nil
}

func openSnappyBlock(dst, src []byte, limit int64) ([]byte, error) {
	n, err := s2.DecodedLen(src)
	if err != nil {
		return dst, err
	}
	at := len(dst)
	if int64(at)+int64(n) > limit {
		return dst, expands(limit)
	}
	if cap(dst)-at < n {
		grown := make([]byte, at, max(at+n, min(2*cap(dst), int(limit))))
		copy(grown, dst)
		dst = grown
	}
	if _, err := s2.Decode(dst[at:at+n:at+n], src); err != nil {
		return dst, err
	}
	return dst[:at+n], nil
}

// zstdDecoder serves every goroutine. It writes into the buffer it is given and
// stops at its end, so a frame's claims (window, content size) allocate nothing.
var zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(0))
	if err != nil {
		panic(err) // only wrong options fail
	}
	return d
})

// zstdBlock is the most that one block of a frame opens to.
const zstdBlock = 128 << 10

func openZstd(dst, src []byte, limit int64) ([]byte, error) {
	// Java's producer does not say how long the content is: then guess, and
	// take four times as much when that was too little.
	size := int64(max(4*len(src), cap(dst), 4096))
	var h zstd.Header
	if err := h.Decode(src); err != nil {
		return dst, err
	}
	if h.HasFCS {
		if h.FrameContentSize > uint64(max(limit, 0)) {
			return dst, expands(limit)
		}
		size = max(int64(h.FrameContentSize), 1)
	}
	for {
		size = min(size, limit)
		if int64(cap(dst)) < size {
			dst = make([]byte, 0, size)
		}
		out, err := zstdDecoder().DecodeAll(src, dst[:0:size])
		if err == nil {
			return out, nil
		}
		// The decoder has several errors for an end of the room. None of them is
		// meant when there was room for another block.
		if !errors.Is(err, zstd.ErrDecoderSizeExceeded) && size-int64(len(out)) > zstdBlock {
			return dst, err
		}
		if size >= limit {
			return dst, expands(limit)
		}
		size *= 4
	}
}
