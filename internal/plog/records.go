package plog

import (
	"fmt"
	"io"
	"sort"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/vfs"
	"github.com/leatdev/leat/internal/wal"
)

// Records are whole batches of a log, as they lie there, on their way to a reader:
// places, not bytes. They hold the files that they are in open but no memory,
// however long the reader takes: what is still in the log's tail is looked up when
// it is sent, and has its place in the segment by then or before. The zero value is
// none. Not safe for concurrent use.
type Records struct {
	log   *Log
	size  int
	next  int64
	parts []stretch
}

// stretch is a range of a segment's bytes, some or all of which may be in the tail.
type stretch struct {
	seg   *segment
	at, n uint32
	file  *openFile // of the segment; nil while it was not needed
	// whole says that all of it is in the file.
	whole bool
}

// Piece is the next part of some records: memory, or else a range of a file. It is
// valid until Done.
type Piece struct {
	// Mem are the bytes, when they are in memory.
	Mem [][]byte
	// Otherwise they are Len bytes of File from At on.
	File vfs.File
	At   int64
	Len  int

	holds []wal.Hold
}

// PieceSlices is the most slices of memory in one piece; pieceBytes bounds their
// sizes: about as much as a socket takes at once.
const (
	PieceSlices = 128
	pieceBytes  = 512 << 10
)

// Done lets go of the piece's memory. It may be used for the next one.
func (p *Piece) Done() {
	for _, h := range p.holds {
		h.Release()
	}
	clear(p.Mem)
	*p = Piece{Mem: p.Mem[:0], holds: p.holds[:0]}
}

// Size is the number of bytes.
func (r *Records) Size() int { return r.size }

// Next is the offset that follows the last batch.
func (r *Records) Next() int64 { return r.next }

// Release gives back what the records hold. They must not be used after it.
func (r *Records) Release() {
	r.Unpin()
	*r = Records{}
}

// Unpin gives the files back that the records hold; they are opened again when they are
// needed. A file that is gone by then is an error of Piece: for answers of so many
// partitions that they would keep too many files open.
func (r *Records) Unpin() {
	for i := range r.parts {
		if f := r.parts[i].file; f != nil {
			r.log.store.files.done(f)
			r.parts[i].file = nil
		}
	}
}

// Piece sets p to the bytes from byte off (below Size) on. The error says that they
// cannot be had any more: the disk refuses, or the records were deleted and their
// file removed before anybody had opened it for these.
func (r *Records) Piece(off int, p *Piece) error {
	p.Done()
	for i := range r.parts {
		s := &r.parts[i]
		if off < int(s.n) {
			return r.log.piece(s, s.at+uint32(off), p)
		}
		off -= int(s.n)
	}
	return fmt.Errorf("byte %d behind the end of records: %w", off, io.EOF)
}

// piece sets p to what there is of the stretch from byte pos of the segment on.
func (l *Log) piece(s *stretch, pos uint32, p *Piece) error {
	to := s.at + s.n
	if !s.whole {
		var err error
		if to, err = l.tailPiece(s, pos, p); err != nil || len(p.Mem) > 0 {
			return err
		}
	}
	if s.file == nil {
		f, err := l.openSegment(s.seg, logSuffix)
		if err != nil {
			return readError(l, err)
		}
		s.file = f
	}
	p.File, p.At, p.Len = s.file.File, int64(pos), int(to-pos)
	return nil
}

// tailPiece sets p to memory of the tail, or returns up to which byte the stretch is
// in the file.
func (l *Log) tailPiece(s *stretch, pos uint32, p *Piece) (to uint32, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.gone {
		// The tail of a deleted log is dropped, and never comes into the file.
		return 0, kerr.UnknownTopicOrPartition
	}
	to = s.at + s.n
	i := l.inTailAt(s.seg, pos)
	if i == len(l.tail) || l.tail[i].seg.base != s.seg.base {
		s.whole = true // nothing comes back into the tail
		return to, nil
	}
	if at := l.tail[i].at; at > pos {
		return min(to, at), nil
	}
	n := 0
	for ; i < len(l.tail) && pos < to && l.tail[i].seg.base == s.seg.base; i++ {
		t := &l.tail[i]
		if t.ref() || n >= pieceBytes || len(p.Mem) == PieceSlices {
			break
		}
		b := t.frame.Data[pos-t.at:]
		p.Mem = append(p.Mem, b)
		p.holds = append(p.holds, t.frame.Hold())
		pos += uint32(len(b))
		n += len(b)
	}
	if n > 0 {
		return pos, nil
	}
	for ; i < len(l.tail) && l.tail[i].ref() && l.tail[i].seg.base == s.seg.base && pos < to; i++ {
		pos = l.tail[i].at + l.tail[i].size
	}
	return pos, nil
}

// copyTail copies what of the records from byte off on is in the tail; 0 when nothing
// is there.
func (r *Records) copyTail(off int, b []byte) (n int) {
	i := 0
	for ; i < len(r.parts) && off >= int(r.parts[i].n); i++ {
		off -= int(r.parts[i].n)
	}
	if i == len(r.parts) || r.parts[i].whole {
		return 0
	}
	s := &r.parts[i]
	pos := s.at + uint32(off)
	b = b[:min(len(b), int(s.n)-off)]
	l := r.log
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i := l.inTailAt(s.seg, pos); n < len(b) && i < len(l.tail); i++ {
		t := &l.tail[i]
		if t.seg.base != s.seg.base || t.at > pos || t.ref() {
			break
		}
		got := copy(b[n:], t.frame.Data[pos-t.at:])
		n, pos = n+got, pos+uint32(got)
	}
	return n
}

// inTailAt returns the index of the first batch of the tail that ends behind byte pos of
// the segment. Called with mu held.
func (l *Log) inTailAt(seg *segment, pos uint32) int {
	return sort.Search(len(l.tail), func(i int) bool {
		t := &l.tail[i]
		return t.seg.base > seg.base || t.seg.base == seg.base && t.at+t.size > pos
	})
}

// ReadAt copies bytes of the records (io.ReaderAt).
func (r *Records) ReadAt(b []byte, off int64) (n int, err error) {
	var p Piece
	defer p.Done()
	for n < len(b) {
		if off+int64(n) >= int64(r.size) {
			return n, io.EOF
		}
		if got := r.copyTail(int(off)+n, b[n:]); got > 0 {
			n += got
			continue
		}
		if err := r.Piece(int(off)+n, &p); err != nil {
			return n, err
		}
		if p.File == nil {
			continue // it was in a file a moment ago, and cannot come back: look again
		}
		want := min(p.Len, len(b)-n)
		got, err := p.File.ReadAt(b[n:n+want], p.At)
		n += got
		if got < want {
			return n, fmt.Errorf("%w: reading %s: %w", kerr.KafkaStorageError, r.log.id, err)
		}
	}
	return n, nil
}
