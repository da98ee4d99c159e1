package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// OpenVolume opens the file system for syncfs(2). Only where an error of its
// write-back is sure to come out there: syncfs tells of errors since Linux 5.8
// (before it always said yes), and a file system that stands on another one
// (overlayfs, network file systems, FUSE) may not pass on what that one met.
func (OS) OpenVolume(name string) (Volume, error) {
	if !syncfsTells() {
		return nil, fmt.Errorf("syncfs of %s: Linux 5.8 or newer tells of failures: %w", name, errors.ErrUnsupported)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(name, &st); err != nil {
		return nil, &os.PathError{Op: "statfs", Path: name, Err: err}
	}
	switch int64(st.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC:
	default:
		return nil, fmt.Errorf("syncfs of %s: file system type %#x is not known to tell of all failures: %w", name, st.Type, errors.ErrUnsupported)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return osVolume{f}, nil
}

// syncfsTells reports whether the kernel is 5.8 or newer.
func syncfsTells() bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	var major, minor int
	if n, _ := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); n != 2 {
		return false
	}
	return major > 5 || major == 5 && minor >= 8
}

// osVolume is any open file of the file system: the kernel keeps for it which
// failures it has told.
type osVolume struct{ f *os.File }

func (v osVolume) Sync(most int64) error {
	if waitingToBeWritten() > most {
		return ErrBusy
	}
	for {
		err := unix.Syncfs(int(v.f.Fd()))
		if err != unix.EINTR {
			return spaceError(os.NewSyscallError("syncfs", err))
		}
	}
}

func (v osVolume) Close() error { return v.f.Close() }

// waitingToBeWritten returns the bytes in the page cache that are on their way to
// any disk of the machine; 0 when the system does not tell.
func waitingToBeWritten() int64 {
	stat, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return 0
	}
	var pages int64
	for line := range bytes.Lines(stat) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		if s := string(name); s == "nr_dirty" || s == "nr_writeback" {
			n, _ := strconv.ParseInt(string(value), 10, 64)
			pages += n
		}
	}
	return pages * int64(os.Getpagesize())
}
