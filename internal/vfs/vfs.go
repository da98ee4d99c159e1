// Package vfs is the one door between the broker and the disk. Everything that
// the log keeps goes through FS and File, so that a test can crash it, tear it,
// fill it up or make its syncs fail (Mem, Faulty) and the same code runs on a
// real file system (OS).
//
// Names are slash-separated paths as the operating system takes them.
// Durability follows POSIX with nothing assumed: bytes are safe after
// File.Sync, names after FS.SyncDir of the directory that holds them.
package vfs

import (
	"errors"
	"io"
	"io/fs"
)

// FS creates, opens, names and removes files. Safe for concurrent use.
// A missing file answers an error that wraps fs.ErrNotExist, a full disk one
// that wraps ErrNoSpace.
type FS interface {
	// Create makes a new, empty file or empties an old one; read and write.
	Create(name string) (File, error)
	// Open opens an existing file, read and write.
	Open(name string) (File, error)
	// OpenRead opens an existing file for reading only.
	OpenRead(name string) (File, error)
	MkdirAll(name string) error
	// Remove removes a file or an empty directory.
	Remove(name string) error
	RemoveAll(name string) error
	// Rename replaces newname when it exists.
	Rename(oldname, newname string) error
	// Link makes newname a second (hard) name of oldname.
	Link(oldname, newname string) error
	// List returns the names in a directory, without their path, sorted.
	List(name string) ([]string, error)
	Stat(name string) (fs.FileInfo, error)
	// SyncDir makes the names created, renamed and removed in a directory durable.
	SyncDir(name string) error
	// Lock takes the named lock file for this process until it is closed (or
	// the process ends). ErrLocked when another holder has it.
	Lock(name string) (io.Closer, error)
	// Hold takes the lock that a lock file stands for, as Lock does, without
	// changing the file or making it: for who only looks.
	Hold(name string) (io.Closer, error)
	// Free returns the bytes that an unprivileged writer can still take on the
	// file system that holds name.
	Free(name string) (int64, error)
	// OpenVolume opens the file system that holds the directory name, before what
	// its Sync is to cover is written. An error that wraps errors.ErrUnsupported
	// where many files cannot be synced at once and be believed: sync each then.
	OpenVolume(name string) (Volume, error)
}

// Evicter is a File that can have the system forget, as far as it likes, what it
// keeps of a range in memory. The range stays on the disk as it is.
type Evicter interface {
	Evict(off, n int64)
}

// Starter is a File that can have the system begin to write a range to the disk, so
// that a Sync soon after finds less to do. A range of length 0 goes on to the end of the
// file. It promises nothing: a failure is Sync's to tell.
type Starter interface {
	StartWrite(off, n int64)
}

// Reserver is a File that can take blocks behind its end, without changing its size, so
// that writes which extend it find them there. It promises nothing: where that cannot be
// done, nothing is. Truncate gives back those that are behind the new end.
type Reserver interface {
	Reserve(off, n int64)
}

// Volume is a file system, for the sync of many files at once.
type Volume interface {
	// Sync makes durable what was written to and named on the file system before
	// the call, as Sync of every file and SyncDir of every directory there would.
	// It waits for what others have written there, too: when more than most bytes
	// wait to be written by the whole system, where that can be told, it does
	// nothing and answers ErrBusy. Any other error means that some file's or
	// directory's bytes may be lost: the Sync of those that are open since before
	// they were written still tells of each whether it is one of them.
	Sync(most int64) error
	io.Closer
}

// File is an open file. ReadAt and the write calls may run at the same time on
// ranges that do not overlap.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// WritevAt writes the buffers one after the other, starting at off, as one
	// call to the system where it can. It returns the bytes written; fewer than
	// all of them comes with an error. The slice of buffers may be changed, the
	// bytes not.
	WritevAt(bufs [][]byte, off int64) (int64, error)
	// Sync makes the file's bytes and its size durable (fdatasync). After an
	// error nothing written since the last good Sync may be believed, and
	// another Sync proves nothing.
	Sync() error
	Truncate(size int64) error
	// Allocate reserves the blocks of the first size bytes and extends the file
	// to that size, so that later writes there do not run out of space.
	Allocate(size int64) error
	Size() (int64, error)
}

// ErrNoSpace is wrapped by errors of a full disk.
var ErrNoSpace = errors.New("no space left on device")

// ErrBusy is returned by Volume.Sync when others have too much to write there.
var ErrBusy = errors.New("the file system has much to write for others")

// ErrLocked is returned by Lock when another process holds the lock.
var ErrLocked = errors.New("locked by another process")
