package wal

import (
	"errors"
	"fmt"
	"io"

	"github.com/leatdev/leat/internal/vfs"
)

// checkGroup returns nil when all frames of the group are whole; else the bad
// ones whose logs are known, without their data, and what is wrong.
func checkGroup(g *found, body []byte) (bad []Frame, err error) {
	p := body[groupHeaderSize:]
	var sum uint32
	for range g.frames {
		fr, size, header, ferr := parseFrame(p)
		if !header {
			return nil, fmt.Errorf("group %d: %w", g.seq, ferr)
		}
		sum = sumFrame(sum, p)
		if ferr != nil {
			fr.Data = nil // it points into memory that is used again
			bad = append(bad, fr)
			err = fmt.Errorf("group %d: %w", g.seq, ferr)
		}
		if fr.Kind == KindDelete || fr.Kind == KindStart {
			g.ends = true
		}
		p = p[size:]
	}
	if g.sum != 0 && sum != g.sum {
		return nil, fmt.Errorf("group %d: %w: its frames are not those that it was written with", g.seq, errFrame)
	}
	return bad, err
}

// goodFrames appends the group's whole frames to dst. A group that was whole when
// it was checked must be so again.
func goodFrames(dst []Frame, g *found, body []byte) ([]Frame, error) {
	p := body[groupHeaderSize:]
	for range g.frames {
		fr, size, header, err := parseFrame(p)
		if err == nil {
			dst = append(dst, fr)
		} else if g.damage == nil {
			return dst, fmt.Errorf("group %d: %w", g.seq, err)
		}
		if !header {
			break
		}
		p = p[size:]
	}
	return dst, nil
}

// window reads a file from its start to its end in large pieces.
type window struct {
	f     vfs.File
	size  int64
	start int64 // of buf in the file
	buf   []byte
}

// windowSize is how much of a file is held: more only when a group is larger.
const windowSize = 1 << 20

func (w *window) open(f vfs.File, size int64) {
	w.f, w.size, w.start, w.buf = f, size, 0, w.buf[:0]
}

// at returns n bytes at off, which are in the file; good until the next call. off
// never goes back by more than what the last call returned.
func (w *window) at(off int64, n int) ([]byte, error) {
	if end := w.start + int64(len(w.buf)); off < w.start || off+int64(n) > end {
		keep := 0
		if off >= w.start && off < end {
			keep = copy(w.buf, w.buf[off-w.start:])
		}
		want := int(min(int64(max(n, windowSize)), w.size-off))
		if cap(w.buf) < want {
			w.buf = append(make([]byte, 0, want), w.buf[:keep]...)
		}
		w.buf = w.buf[:want]
		w.start = off
		if err := readFull(w.f, w.buf[keep:], off+int64(keep)); err != nil {
			w.buf = w.buf[:0]
			return nil, err
		}
	}
	return w.buf[off-w.start:][:n], nil
}

// readFull reads all of p; the end of the file may come right after it.
func readFull(f vfs.File, p []byte, off int64) error {
	if n, err := f.ReadAt(p, off); err != nil && !(errors.Is(err, io.EOF) && n == len(p)) {
		return err
	}
	return nil
}
