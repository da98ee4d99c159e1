package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/leatdev/leat/internal/kafka"
)

// Kind says what a frame does to the log that it names.
type Kind uint8

// The kinds of frames. Their numbers are the disk format.
const (
	// KindBatch appends the record batch that the frame carries.
	KindBatch Kind = 1
	// KindRef appends a record batch that stands in the segment already, synced
	// before the group that refers to it.
	KindRef Kind = 2
	// KindCreate creates the log; the data is its directory name.
	KindCreate Kind = 3
	// KindDelete deletes the log with all it holds.
	KindDelete Kind = 4
	// KindStart moves the log start offset forward.
	KindStart Kind = 5
)

const (
	groupMagic      = 0x4c574731 // "LWG1"
	groupHeaderSize = 64
	frameHeaderSize = 64
	frameAlign      = 8
	// blockSize is the alignment of groups: the unit in which disks tear.
	blockSize = 4096
)

// Frame is one change of one log. Topic, Partition and Kind are always set.
type Frame struct {
	Kind      Kind
	Topic     kafka.UUID
	Partition int32
	// Epoch is the leader epoch of a batch.
	Epoch int32
	// Offset is a batch's base offset, or the new log start of KindStart.
	Offset int64
	// SegBase and SegPos are where a batch goes: the base offset of its segment
	// and the byte position in it.
	SegBase int64
	SegPos  uint32
	// RefLen is the size in bytes of the batch that a KindRef stands for.
	RefLen uint32
	// CRC is the checksum of the batch, as the batch carries it (KindBatch,
	// KindRef), else of Data.
	CRC uint32
	// Data is the batch (KindBatch) or what the kind says. After Enqueue it is
	// the copy inside the chunk, valid until Release.
	Data []byte

	chunk *chunk
}

// Release lets go of the memory that Enqueue copied Data into. Data must not be
// used after it. Called once per frame of KindBatch, when the batch is in its
// segment; calling it for other kinds does nothing.
func (f *Frame) Release() {
	if f.chunk != nil {
		f.chunk.release()
		f.chunk = nil
		f.Data = nil
	}
}

func (f *Frame) encodedSize() int {
	return frameHeaderSize + align(len(f.Data), frameAlign)
}

func align(n, to int) int { return (n + to - 1) / to * to }

// put writes the frame at the start of dst and returns its size there and the
// place of its data.
func (f *Frame) put(dst []byte) (size int, data []byte) {
	be := binary.BigEndian
	h := dst[:frameHeaderSize]
	clear(h)
	h[0] = byte(f.Kind)
	be.PutUint32(h[4:], uint32(len(f.Data)))
	copy(h[8:24], f.Topic[:])
	be.PutUint32(h[24:], uint32(f.Partition))
	be.PutUint32(h[28:], uint32(f.Epoch))
	be.PutUint64(h[32:], uint64(f.Offset))
	be.PutUint64(h[40:], uint64(f.SegBase))
	be.PutUint32(h[48:], f.SegPos)
	be.PutUint32(h[52:], f.CRC)
	be.PutUint32(h[56:], f.RefLen)
	be.PutUint32(h[60:], kafka.CRC32C(h[:60]))
	data = dst[frameHeaderSize : frameHeaderSize+len(f.Data) : frameHeaderSize+len(f.Data)]
	copy(data, f.Data)
	size = f.encodedSize()
	clear(dst[frameHeaderSize+len(f.Data) : size])
	return size, data
}

var (
	errFrame = errors.New("bad frame")
	errGroup = errors.New("bad group header")
)

// parseFrame reads the frame at the start of p. An error comes with the frame
// as far as its header could be believed (ok): then the log it names is known
// even though its data is bad.
func parseFrame(p []byte) (f Frame, size int, header bool, err error) {
	be := binary.BigEndian
	if len(p) < frameHeaderSize {
		return f, 0, false, fmt.Errorf("%w: %d bytes left", errFrame, len(p))
	}
	h := p[:frameHeaderSize]
	if be.Uint32(h[60:]) != kafka.CRC32C(h[:60]) {
		return f, 0, false, fmt.Errorf("%w: header fails its CRC", errFrame)
	}
	n := int(be.Uint32(h[4:]))
	f = Frame{
		Kind:      Kind(h[0]),
		Partition: int32(be.Uint32(h[24:])),
		Epoch:     int32(be.Uint32(h[28:])),
		Offset:    int64(be.Uint64(h[32:])),
		SegBase:   int64(be.Uint64(h[40:])),
		SegPos:    be.Uint32(h[48:]),
		CRC:       be.Uint32(h[52:]),
		RefLen:    be.Uint32(h[56:]),
	}
	copy(f.Topic[:], h[8:24])
	if n > len(p)-frameHeaderSize {
		return f, 0, false, fmt.Errorf("%w: says %d bytes of data, %d are left", errFrame, n, len(p)-frameHeaderSize)
	}
	f.Data = p[frameHeaderSize : frameHeaderSize+n : frameHeaderSize+n]
	size = min(f.encodedSize(), len(p))
	return f, size, true, f.verify()
}

// verify compares the frame's data with its header.
func (f *Frame) verify() error {
	switch f.Kind {
	case KindBatch:
		return VerifyBatch(f, f.Data)
	case KindRef:
		if len(f.Data) != 0 {
			return fmt.Errorf("%w: a reference with %d bytes of data", errFrame, len(f.Data))
		}
		return nil
	case KindCreate, KindDelete, KindStart:
		if got := kafka.CRC32C(f.Data); got != f.CRC {
			return fmt.Errorf("%w: data fails its CRC", errFrame)
		}
		return nil
	}
	return fmt.Errorf("%w: unknown kind %d", errFrame, f.Kind)
}

// VerifyBatch reports whether data is the batch that f describes, byte for
// byte: the batch's own CRC covers the most of it, the frame's header the rest.
func VerifyBatch(f *Frame, data []byte) error {
	b, rest, err := kafka.NextBatch(data)
	switch {
	case err != nil:
		return err
	case len(rest) != 0:
		return fmt.Errorf("%w: %d bytes after the batch", errFrame, len(rest))
	case b.CRC() != f.CRC || b.BaseOffset() != f.Offset || b.LeaderEpoch() != f.Epoch:
		return fmt.Errorf("%w: batch %d (epoch %d) is not the one the frame names, %d (epoch %d)",
			errFrame, b.BaseOffset(), b.LeaderEpoch(), f.Offset, f.Epoch)
	}
	return b.VerifyCRC()
}

// groupHeader starts every group.
type groupHeader struct {
	salt uint64 // the data directory's: another's groups are not ours
	seq  Pos
	// durable is the last group known to be on disk when this one was written.
	durable Pos
	length  uint32 // header and frames, without the padding to the next block
	frames  uint32
	// sum binds the frames to the group, see sumFrame; 0 in groups that were written
	// before there was one.
	sum uint32
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumFrame takes a frame, the next of its group, into the group's sum: a CRC over
// the CRCs of the frames' headers. Without it a frame of an earlier round, at the
// same place in the file, would pass for one whose sector a torn write left out.
func sumFrame(sum uint32, frame []byte) uint32 {
	return crc32.Update(sum, castagnoli, frame[frameHeaderSize-4:frameHeaderSize])
}

func (g *groupHeader) put(h []byte) {
	be := binary.BigEndian
	clear(h[:groupHeaderSize])
	be.PutUint32(h[0:], groupMagic)
	be.PutUint64(h[8:], g.salt)
	be.PutUint64(h[16:], uint64(g.seq))
	be.PutUint64(h[24:], uint64(g.durable))
	be.PutUint32(h[32:], g.length)
	be.PutUint32(h[36:], g.frames)
	be.PutUint32(h[40:], g.sum)
	be.PutUint32(h[4:], kafka.CRC32C(h[8:groupHeaderSize]))
}

func parseGroupHeader(p []byte, salt uint64) (groupHeader, error) {
	be := binary.BigEndian
	var g groupHeader
	if len(p) < groupHeaderSize || be.Uint32(p) != groupMagic {
		return g, fmt.Errorf("%w: no magic", errGroup)
	}
	if be.Uint32(p[4:]) != kafka.CRC32C(p[8:groupHeaderSize]) {
		return g, fmt.Errorf("%w: fails its CRC", errGroup)
	}
	g = groupHeader{
		salt: be.Uint64(p[8:]), seq: Pos(be.Uint64(p[16:])), durable: Pos(be.Uint64(p[24:])),
		length: be.Uint32(p[32:]), frames: be.Uint32(p[36:]), sum: be.Uint32(p[40:]),
	}
	if g.salt != salt {
		return g, fmt.Errorf("%w: of another data directory", errGroup)
	}
	if g.durable >= g.seq {
		return g, fmt.Errorf("%w: group %d says that %d is durable", errGroup, g.seq, g.durable)
	}
	if g.length < groupHeaderSize || int64(g.frames)*frameHeaderSize > int64(g.length) {
		return g, fmt.Errorf("%w: %d frames in %d bytes", errGroup, g.frames, g.length)
	}
	return g, nil
}
