package volatile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sys/unix"
)

// The kernel's FUSE protocol (include/uapi/linux/fuse.h), as much of it as one
// file in one directory needs.
const (
	opLookup      = 1
	opForget      = 2
	opGetattr     = 3
	opSetattr     = 4
	opOpen        = 14
	opRead        = 15
	opWrite       = 16
	opStatfs      = 17
	opRelease     = 18
	opFsync       = 20
	opFlush       = 25
	opInit        = 26
	opOpendir     = 27
	opReaddir     = 28
	opReleasedir  = 29
	opDestroy     = 38
	opBatchForget = 42

	inHeader  = 40
	outHeader = 16
	ioHeader  = 40 // of a read or write, after the header

	rootNode = 1
	fileNode = 2

	maxWrite    = 256 << 10
	bigWrites   = 1 << 5
	maxPages    = 1 << 22
	openDirect  = 1 << 0 // no page cache of its own: the disk's answers are the truth
	protoMajor  = 7
	protoMinor  = 31
	attrSeconds = 3600
)

// FileName is the disk's name in the directory where it is mounted.
const FileName = "disk"

// Mount is a disk that the kernel sees as a file.
type Mount struct {
	dir     string
	fd      int
	workers sync.WaitGroup
}

// MountAt mounts a disk as the file FileName in dir. It needs root and /dev/fuse.
func MountAt(d *Disk, dir string) (*Mount, error) {
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/fuse: %w", err)
	}
	opts := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)
	if err := unix.Mount("volatile", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, opts); err != nil {
		return nil, errors.Join(fmt.Errorf("mount of a FUSE file system at %s: %w", dir, err), unix.Close(fd))
	}
	m := &Mount{dir: dir, fd: fd}
	for range 4 {
		m.workers.Go(func() { m.serve(d) })
	}
	return m, nil
}

// Unmount ends it; whoever uses the file still gets errors.
func (m *Mount) Unmount() error {
	err := unix.Unmount(m.dir, unix.MNT_FORCE)
	if err != nil {
		err = errors.Join(err, unix.Unmount(m.dir, unix.MNT_DETACH))
	}
	m.workers.Wait()
	return errors.Join(err, unix.Close(m.fd))
}

// serve answers requests until the file system is unmounted.
func (m *Mount) serve(d *Disk) {
	in := make([]byte, maxWrite+4096)
	out := make([]byte, outHeader, outHeader+maxWrite)
	for {
		n, err := unix.Read(m.fd, in)
		switch {
		case errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOENT): // the last: a request was taken back
			continue
		case err != nil || n < inHeader:
			return // ENODEV: unmounted
		}
		op := binary.NativeEndian.Uint32(in[4:])
		if op == opForget || op == opBatchForget {
			continue
		}
		out = out[:outHeader]
		body, fault := answer(d, op, binary.NativeEndian.Uint64(in[16:]), in[inHeader:n], out)
		if fault != 0 {
			body = out[:outHeader]
		}
		binary.NativeEndian.PutUint32(body, uint32(len(body)))
		binary.NativeEndian.PutUint32(body[4:], uint32(-int32(fault)))
		copy(body[8:16], in[8:16])    // which request it was
		_, _ = unix.Write(m.fd, body) // fails if the asker is gone: then nobody waits
	}
}

// answer appends the answer's body to out; an errno other than 0 stands for none.
func answer(d *Disk, op uint32, node uint64, in, out []byte) ([]byte, unix.Errno) {
	u32 := func(vs ...uint32) {
		for _, v := range vs {
			out = binary.NativeEndian.AppendUint32(out, v)
		}
	}
	u64 := func(vs ...uint64) {
		for _, v := range vs {
			out = binary.NativeEndian.AppendUint64(out, v)
		}
	}
	attr := func(node uint64) {
		size, mode := uint64(0), uint32(unix.S_IFDIR|0o755)
		if node == fileNode {
			size, mode = uint64(d.Size()), unix.S_IFREG|0o600
		}
		u64(node, size, size/512, 0, 0, 0)
		u32(0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)
	}
	switch op {
	case opInit:
		u32(protoMajor, protoMinor, 0, bigWrites|maxPages)
		u32(12 | 9<<16) // requests under way, and from where on it is congested
		u32(maxWrite, 1)
		u32(maxWrite / 4096)
		out = append(out, make([]byte, 64-32)...)
	case opLookup:
		if string(in) != FileName+"\x00" {
			return nil, unix.ENOENT
		}
		u64(fileNode, 0, attrSeconds, attrSeconds)
		u32(0, 0)
		attr(fileNode)
	case opGetattr, opSetattr: // what is set (times) is not kept
		u64(attrSeconds)
		u32(0, 0)
		attr(node)
	case opOpen, opOpendir:
		u64(0)
		u32(openDirect, 0)
	case opStatfs:
		out = append(out, make([]byte, 80)...)
	case opReaddir: // the directory looks empty; the file is found by its name
	case opFlush, opRelease, opReleasedir, opDestroy:
	case opRead:
		off, size := int64(binary.NativeEndian.Uint64(in[8:])), binary.NativeEndian.Uint32(in[16:])
		n, err := d.ReadAt(out[outHeader:outHeader+int(min(size, maxWrite))], off)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, unix.EIO
		}
		out = out[:outHeader+n]
	case opWrite:
		off, size := int64(binary.NativeEndian.Uint64(in[8:])), binary.NativeEndian.Uint32(in[16:])
		n, err := d.WriteAt(in[ioHeader:ioHeader+size], off)
		if err != nil {
			return nil, unix.EIO
		}
		u32(uint32(n), 0)
	case opFsync:
		if d.Flush() != nil {
			return nil, unix.EIO
		}
	default: // extended attributes, fallocate and the like: the kernel does without
		return nil, unix.ENOSYS
	}
	return out, 0
}
