package vfs

import (
	"io"
	"io/fs"
)

// shadowFile is an open file of a Shadow.
type shadowFile struct {
	fs     *Shadow
	node   *shadowNode
	name   string
	write  bool
	closed bool
}

var _ File = (*shadowFile)(nil)

func (o *shadowFile) begin(op string, writes bool) error {
	if o.closed {
		return &fs.PathError{Op: op, Path: o.name, Err: fs.ErrClosed}
	}
	if writes && !o.write {
		return &fs.PathError{Op: op, Path: o.name, Err: fs.ErrPermission}
	}
	return nil
}

func (o *shadowFile) ReadAt(p []byte, off int64) (int, error) {
	o.fs.mu.RLock()
	defer o.fs.mu.RUnlock()
	if err := o.begin("read", false); err != nil {
		return 0, err
	}
	n := o.node
	want := int(min(int64(len(p)), max(0, n.size-off)))
	for done := 0; done < want; {
		at := off + int64(done)
		end := min(want, done+int(shadowPage-at%shadowPage))
		if b := n.pages[at/shadowPage]; b != nil {
			copy(p[done:end], b[at%shadowPage:])
		} else {
			// A run of pages that nobody has written over is one read below.
			for end < want && n.pages[(off+int64(end))/shadowPage] == nil {
				end = min(want, end+shadowPage)
			}
			if err := o.fs.readBelow(n, p[done:end], at); err != nil {
				return done, err
			}
		}
		done = end
	}
	if want < len(p) {
		return want, io.EOF
	}
	return want, nil
}

func (o *shadowFile) WriteAt(p []byte, off int64) (int, error) {
	o.fs.mu.Lock()
	defer o.fs.mu.Unlock()
	if err := o.begin("write", true); err != nil {
		return 0, err
	}
	return o.put(p, off)
}

// put is called with the file system's mu held.
func (o *shadowFile) put(p []byte, off int64) (int, error) {
	n := o.node
	for done := 0; done < len(p); {
		at := off + int64(done)
		end := min(len(p), done+int(shadowPage-at%shadowPage))
		b := n.pages[at/shadowPage]
		if b == nil && (at/shadowPage*shadowPage < n.below || !allZero(p[done:end])) {
			var err error
			if b, err = o.fs.page(n, at/shadowPage); err != nil {
				return done, err
			}
			n.pages[at/shadowPage] = b
		}
		if b != nil {
			copy(b[at%shadowPage:], p[done:end])
		}
		done = end
	}
	n.size = max(n.size, off+int64(len(p)))
	return len(p), nil
}

func (o *shadowFile) WritevAt(bufs [][]byte, off int64) (int64, error) {
	o.fs.mu.Lock()
	defer o.fs.mu.Unlock()
	if err := o.begin("write", true); err != nil {
		return 0, err
	}
	var total int64
	for _, b := range bufs {
		n, err := o.put(b, off+total)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func (o *shadowFile) Sync() error {
	o.fs.mu.RLock()
	defer o.fs.mu.RUnlock()
	return o.begin("sync", false)
}

func (o *shadowFile) Truncate(size int64) error {
	o.fs.mu.Lock()
	defer o.fs.mu.Unlock()
	if err := o.begin("truncate", true); err != nil {
		return err
	}
	o.node.truncate(size)
	return nil
}

func (o *shadowFile) Allocate(size int64) error {
	o.fs.mu.Lock()
	defer o.fs.mu.Unlock()
	if err := o.begin("allocate", true); err != nil {
		return err
	}
	o.node.size = max(o.node.size, size)
	return nil
}

func (o *shadowFile) Size() (int64, error) {
	o.fs.mu.RLock()
	defer o.fs.mu.RUnlock()
	return o.node.size, o.begin("size", false)
}

func (o *shadowFile) Close() error {
	o.fs.mu.Lock()
	defer o.fs.mu.Unlock()
	if err := o.begin("close", false); err != nil {
		return err
	}
	o.closed = true
	return nil
}
