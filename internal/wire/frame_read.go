package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"sync"
)

// firstRead is how much memory a frame gets on the word of its length alone.
// More is taken as bytes arrive, or when the connection has filled a frame of
// that size before.
const firstRead = 64 << 10

// maxTrusted is how far a client's earlier frames are taken as a promise that it
// fills the next one, too.
const maxTrusted = 16 << 20

// frame is a request as it came, without its length.
type frame struct {
	data []byte
	// passing says that the bytes are lent: the handler keeps none of them, and
	// they are given back before the next frame is read. Produce is of that kind,
	// and nothing else: what a handler has copied into the log need not stay.
	passing bool
	// inPlace is how many of the bytes are still in the reader's own buffer.
	inPlace int
	buf     *[]byte // from frameBuffers; nil for other frames
	share   *share
}

// frameReader reads one connection's frames.
type frameReader struct {
	in      *bufio.Reader
	mem     *memory
	limit   int    // of a frame
	trusted int    // the largest frame that this client really sent
	lent    share  // of the frame that is passing
	begun   func() // called before the bytes of a frame that takes memory are read
	// heard is called when a frame's length is there, and waits while the client is not
	// to be heard: nothing is held meanwhile that others may want.
	heard func() bool
}

// next reads a frame. One that fits into the reader's buffer takes no memory at
// all when it is passing, which is what keeps small durable produce requests
// cheap. The caller gives it back with done, also after an error of its own.
func (r *frameReader) next(ctx context.Context) (frame, error) {
	n, err := readLength(r.in, r.limit)
	if err != nil {
		return frame{}, err
	}
	if !r.heard() {
		return frame{}, errDraining
	}
	if n > r.in.Size() {
		return r.large(ctx, n)
	}
	b, err := r.in.Peek(n)
	if err != nil {
		return frame{}, cutFrame(n, err)
	}
	if isProduce(b) {
		return frame{data: b, inPlace: n, passing: true}, nil
	}
	f := frame{share: new(share)}
	if err := r.mem.grow(ctx, f.share, int64(n)); err != nil {
		r.done(&f)
		return frame{}, err
	}
	f.data = append([]byte(nil), b...)
	r.in.Discard(n)
	return f, nil
}

// large reads a frame of n bytes into memory that is waited for. It grows by four
// as it fills, from max(firstRead, trusted): a length that lies costs little.
func (r *frameReader) large(ctx context.Context, n int) (f frame, err error) {
	r.begun()
	head, err := r.in.Peek(2)
	if err != nil {
		return frame{}, cutFrame(n, err)
	}
	if f.passing, f.share = isProduce(head), new(share); f.passing {
		f.share = &r.lent
	}
	defer func() {
		if err != nil {
			r.done(&f)
		}
	}()
	for have := 0; have < n; have = len(f.data) {
		size := min(n, 4*have)
		if have == 0 {
			size = min(n, max(firstRead, r.trusted))
		}
		if err := r.grow(ctx, &f, size); err != nil {
			return f, err
		}
		if _, err := io.ReadFull(r.in, f.data[have:]); err != nil {
			return f, cutFrame(n, err)
		}
	}
	r.trusted = max(r.trusted, min(n, maxTrusted))
	return f, nil
}

// grow moves the frame into memory of the given size.
func (r *frameReader) grow(ctx context.Context, f *frame, size int) error {
	held := f.share.held
	old, oldBuf := f.data, f.buf
	if !f.passing {
		if err := r.mem.grow(ctx, f.share, int64(size)); err != nil {
			return err
		}
		f.data = make([]byte, size)
	} else {
		if err := r.mem.grow(ctx, f.share, int64(bufferSize(size))); err != nil {
			return err
		}
		f.buf = getFrameBuffer(size)
		f.data = (*f.buf)[:size]
	}
	copy(f.data, old)
	putFrameBuffer(oldBuf)
	if held > 0 {
		r.mem.shrink(f.share, held)
	}
	return nil
}

// done gives back what the frame took: at once when it is passing, else when its
// answer has been sent.
func (r *frameReader) done(f *frame) {
	if f.inPlace > 0 {
		r.in.Discard(f.inPlace)
	}
	putFrameBuffer(f.buf)
	r.mem.release(f.share)
	*f = frame{}
}

func isProduce(frame []byte) bool { return int16(binary.BigEndian.Uint16(frame)) == keyProduce }

func cutFrame(n int, err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("frame of %d bytes: %w", n, err)
}

// Buffers of frames on their way to the log are used again, without being cleared
// in between. They come in powers of two with room for what surrounds a record of
// such a size; what nobody uses is left to the collector.
const (
	bufferSlack  = 4 << 10
	smallestBits = 14
	largestBits  = 24
)

var frameBuffers [largestBits - smallestBits + 1]sync.Pool

// bufferBits says which class of buffers holds n bytes.
func bufferBits(n int) int { return max(smallestBits, bits.Len(uint(max(n-bufferSlack, 1)-1))) }

// bufferSize is the memory that getFrameBuffer takes for n bytes.
func bufferSize(n int) int {
	if b := bufferBits(n); b <= largestBits {
		return 1<<b + bufferSlack
	}
	return n
}

// getFrameBuffer returns a buffer of at least n bytes, with anything in it.
func getFrameBuffer(n int) *[]byte {
	if b := bufferBits(n); b <= largestBits {
		if buf, ok := frameBuffers[b-smallestBits].Get().(*[]byte); ok {
			return buf
		}
	}
	buf := make([]byte, bufferSize(n))
	return &buf
}

// putFrameBuffer takes a buffer back; nil is none.
func putFrameBuffer(buf *[]byte) {
	if buf == nil {
		return
	}
	if b := bufferBits(len(*buf)); b <= largestBits {
		frameBuffers[b-smallestBits].Put(buf)
	}
}
