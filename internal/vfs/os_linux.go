package vfs

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// iovMax is the most buffers one pwritev takes (IOV_MAX).
const iovMax = 1024

func (o *osFile) WritevAt(bufs [][]byte, off int64) (int64, error) {
	var total int64
	for len(bufs) > 0 {
		n, err := unix.Pwritev(int(o.f.Fd()), bufs[:min(len(bufs), iovMax)], off)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return total, spaceError(os.NewSyscallError("pwritev", err))
		}
		if n == 0 {
			return total, io.ErrShortWrite
		}
		total += int64(n)
		off += int64(n)
		for n > 0 && n >= len(bufs[0]) {
			n -= len(bufs[0])
			bufs = bufs[1:]
		}
		if n > 0 {
			bufs[0] = bufs[0][n:]
		}
		for len(bufs) > 0 && len(bufs[0]) == 0 {
			bufs = bufs[1:]
		}
	}
	return total, nil
}

func (o *osFile) Sync() error {
	for {
		err := unix.Fdatasync(int(o.f.Fd()))
		if err != unix.EINTR {
			return spaceError(os.NewSyscallError("fdatasync", err))
		}
	}
}

// Evict implements Evicter. It is advice: nothing depends on it.
func (o *osFile) Evict(off, n int64) {
	_ = unix.Fadvise(int(o.f.Fd()), off, n, unix.FADV_DONTNEED)
}

// StartWrite implements Starter.
func (o *osFile) StartWrite(off, n int64) {
	_ = unix.SyncFileRange(int(o.f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
}

// Reserve implements Reserver.
func (o *osFile) Reserve(off, n int64) {
	_ = unix.Fallocate(int(o.f.Fd()), unix.FALLOC_FL_KEEP_SIZE, off, n)
}

func (o *osFile) Allocate(size int64) error {
	return spaceError(os.NewSyscallError("fallocate", unix.Fallocate(int(o.f.Fd()), 0, 0, size)))
}
