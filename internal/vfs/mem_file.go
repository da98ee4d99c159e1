package vfs

import (
	"io/fs"
	"sync/atomic"
	"syscall"
)

// memFile is an open file of a Mem.
type memFile struct {
	m      *Mem
	f      *inode
	name   string
	write  bool
	closed atomic.Bool
}

func openMem(m *Mem, f *inode, name string, write bool) *memFile {
	f.drop(0, +1)
	return &memFile{m: m, f: f, name: name, write: write}
}

func (o *memFile) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: o.name, Err: err}
}

// begin starts an operation; when it returns nil, m.whole is held for reading.
func (o *memFile) begin(op string, writes bool) error {
	o.m.whole.RLock()
	var err error
	switch {
	case o.closed.Load():
		err = fs.ErrClosed
	case writes && !o.write:
		err = syscall.EBADF
	default:
		return nil
	}
	o.m.whole.RUnlock()
	return o.fail(op, err)
}

func (o *memFile) ReadAt(p []byte, off int64) (int, error) {
	if err := o.begin("read", false); err != nil {
		return 0, err
	}
	defer o.m.whole.RUnlock()
	if off < 0 {
		return 0, o.fail("read", syscall.EINVAL)
	}
	return o.f.readAt(p, off)
}

func (o *memFile) WriteAt(p []byte, off int64) (int, error) {
	if err := o.begin("write", true); err != nil {
		return 0, err
	}
	defer o.m.whole.RUnlock()
	if off < 0 {
		return 0, o.fail("write", syscall.EINVAL)
	}
	n, err := o.f.writeAt(p, off)
	if err != nil {
		return n, o.fail("write", err)
	}
	return n, nil
}

func (o *memFile) WritevAt(bufs [][]byte, off int64) (int64, error) {
	var total int64
	for _, b := range bufs {
		n, err := o.WriteAt(b, off+total)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func (o *memFile) Sync() error {
	if err := o.begin("sync", false); err != nil {
		return err
	}
	defer o.m.whole.RUnlock()
	o.f.sync()
	if err := o.f.tellLoss(); err != nil {
		return o.fail("sync", err)
	}
	return nil
}

// FailSync is called by Faulty in place of Sync.
func (o *memFile) FailSync() {
	if o.begin("sync", false) == nil {
		defer o.m.whole.RUnlock()
		o.f.failSync()
	}
}

func (o *memFile) Truncate(size int64) error {
	if err := o.begin("truncate", true); err != nil {
		return err
	}
	defer o.m.whole.RUnlock()
	if size < 0 {
		return o.fail("truncate", syscall.EINVAL)
	}
	o.f.truncate(size)
	return nil
}

func (o *memFile) Allocate(size int64) error {
	if err := o.begin("allocate", true); err != nil {
		return err
	}
	defer o.m.whole.RUnlock()
	if err := o.f.allocate(size); err != nil {
		return o.fail("allocate", err)
	}
	return nil
}

// Reserve implements Reserver.
func (o *memFile) Reserve(off, n int64) {
	if o.begin("reserve", true) == nil {
		defer o.m.whole.RUnlock()
		o.f.reserve(off + n)
	}
}

func (o *memFile) Size() (int64, error) {
	if err := o.begin("size", false); err != nil {
		return 0, err
	}
	defer o.m.whole.RUnlock()
	return o.f.length(), nil
}

func (o *memFile) Close() error {
	if o.closed.Swap(true) {
		return o.fail("close", fs.ErrClosed)
	}
	o.f.drop(0, -1)
	return nil
}
