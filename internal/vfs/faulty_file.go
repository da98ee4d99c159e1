package vfs

import (
	"fmt"
	"io/fs"
)

type faultyFile struct {
	f    *Faulty
	file File
	name string
}

func (o *faultyFile) fault(op Op, r *Rule) error {
	return &fs.PathError{Op: opNames[op], Path: o.name, Err: r.Err}
}

func (o *faultyFile) ReadAt(p []byte, off int64) (n int, err error) {
	r := o.f.before(OpRead, o.name)
	defer func() { o.f.note(OpRead, err, span(o.name, off, int64(len(p)))) }()
	if r != nil && r.Err != nil {
		return 0, o.fault(OpRead, r)
	}
	n, err = o.file.ReadAt(p, off)
	if r != nil && r.FlipBit {
		if at := r.FlipAt/8 - off; at >= 0 && at < int64(n) {
			p[at] ^= 1 << (r.FlipAt & 7)
		}
	}
	return n, err
}

func (o *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := o.write([][]byte{p}, off, func() (int64, error) {
		n, err := o.file.WriteAt(p, off)
		return int64(n), err
	})
	return int(n), err
}

func (o *faultyFile) WritevAt(bufs [][]byte, off int64) (int64, error) {
	return o.write(bufs, off, func() (int64, error) { return o.file.WritevAt(bufs, off) })
}

// Reserve implements Reserver, as far as the file does. It is no operation that could
// fail.
func (o *faultyFile) Reserve(off, n int64) {
	if r, ok := o.file.(Reserver); ok {
		r.Reserve(off, n)
	}
}

func (o *faultyFile) write(bufs [][]byte, off int64, run func() (int64, error)) (n int64, err error) {
	var size int64
	for _, b := range bufs {
		size += int64(len(b))
	}
	r := o.f.before(OpWrite, o.name)
	defer func() { o.f.note(OpWrite, err, span(o.name, off, size)) }()
	if r == nil || r.Err == nil {
		return run()
	}
	for _, b := range bufs {
		b = b[:min(len(b), max(0, r.Written-int(n)))]
		m, err := o.file.WriteAt(b, off+n)
		if n += int64(m); err != nil {
			return n, err
		}
	}
	return n, o.fault(OpWrite, r)
}

func (o *faultyFile) Sync() (err error) {
	r := o.f.before(OpSync, o.name)
	defer func() { o.f.note(OpSync, err, o.name) }()
	if r != nil && r.Err != nil {
		if m, ok := o.file.(interface{ FailSync() }); ok {
			m.FailSync()
		}
		return o.fault(OpSync, r)
	}
	return o.file.Sync()
}

func (o *faultyFile) Truncate(size int64) error {
	return o.resize(OpTruncate, size, o.file.Truncate)
}

func (o *faultyFile) Allocate(size int64) error {
	return o.resize(OpAllocate, size, o.file.Allocate)
}

func (o *faultyFile) resize(op Op, size int64, run func(int64) error) (err error) {
	r := o.f.before(op, o.name)
	defer func() { o.f.note(op, err, fmt.Sprintf("%s %d", o.name, size)) }()
	if r != nil && r.Err != nil {
		return o.fault(op, r)
	}
	return run(size)
}

func (o *faultyFile) Size() (int64, error) { return o.file.Size() }

func (o *faultyFile) Close() error {
	return o.f.do(OpClose, o.file.Close, o.name)
}
