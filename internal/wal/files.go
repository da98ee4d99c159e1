package wal

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/leatdev/leat/internal/mutant"
	"github.com/leatdev/leat/internal/vfs"
)

const fileSuffix = ".wal"

// file is one of the log's files.
type file struct {
	name string
	f    vfs.File
	last Pos // the newest group in it
	// sparse says that it has its blocks, but that they have not all been written yet: a
	// sync of fresh ones takes a third longer, since it changes the file's metadata.
	sparse bool
}

// files are the log's files: one that is written, full ones that a checkpoint
// has not freed, idle ones. All fields but number are guarded by WAL.mu.
type files struct {
	opt       *Options
	number    atomic.Int64 // of the newest file name
	count     int
	preparing bool
	cur       *file
	off       int64
	used      []*file
	idle      []*file

	written int64 // bytes ever placed
	marks   []mark
	freed   int64
}

// mark remembers how much was written up to a group.
type mark struct {
	seq   Pos
	total int64
}

// open takes over the files in the directory and makes the first one when
// there are none. The first is only allocated, not filled: that takes a
// moment that a start should not.
func (fs *files) open(opt *Options) error {
	fs.opt = opt
	if err := opt.FS.MkdirAll(opt.Dir); err != nil {
		return err
	}
	names, err := opt.FS.List(opt.Dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		var n int64
		if _, err := fmt.Sscanf(name, "%d"+fileSuffix, &n); err != nil || !strings.HasSuffix(name, fileSuffix) {
			continue
		}
		fs.number.Store(max(n, fs.number.Load()))
		full := path.Join(opt.Dir, name)
		f, err := opt.FS.Open(full)
		if err != nil {
			return err
		}
		if size, err := f.Size(); err != nil || size != opt.FileSize || fs.count >= opt.MaxFiles {
			// Half made, or from other settings: nothing in it is needed.
			if err := errors.Join(err, f.Close(), opt.FS.Remove(full)); err != nil {
				return err
			}
			continue
		}
		fs.add(&file{name: full, f: f})
	}
	if fs.count > 0 {
		fs.idle[0].sparse = fs.count == 1 // who has written much has made another
		return opt.FS.SyncDir(opt.Dir)
	}
	f, err := makeFile(opt, fs.nextName(), false)
	if err != nil {
		return err
	}
	fs.add(f)
	return nil
}

func (fs *files) nextName() string {
	return path.Join(fs.opt.Dir, fmt.Sprintf("%08d%s", fs.number.Add(1), fileSuffix))
}

// makeFile creates a file with all its blocks taken, durable under its name.
// filled also writes every block once, which makes later syncs cheaper.
func makeFile(opt *Options, name string, filled bool) (_ *file, err error) {
	f, err := opt.FS.Create(name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), opt.FS.Remove(name))
		}
	}()
	if err := f.Allocate(opt.FileSize); err != nil {
		return nil, err
	}
	made := &file{name: name, f: f, sparse: !filled}
	if filled {
		err = made.fill(opt.FileSize)
	} else {
		err = f.Sync()
	}
	if err != nil {
		return nil, err
	}
	if err := opt.FS.SyncDir(opt.Dir); err != nil {
		return nil, err
	}
	return made, nil
}

// fillPiece is how much of a file is filled at a time: what a flush may have to wait for
// at the disk, instead of for all of it.
const fillPiece = 256 << 10

// fill writes every block of a file in which nothing is needed.
func (f *file) fill(size int64) error {
	zeros := make([]byte, min(fillPiece, size))
	for off := int64(0); off < size; off += int64(len(zeros)) {
		if _, err := f.f.WriteAt(zeros[:min(int64(len(zeros)), size-off)], off); err != nil {
			return err
		}
		if err := f.f.Sync(); err != nil {
			return err
		}
	}
	f.sparse = false
	return nil
}

func (fs *files) add(f *file) {
	fs.count++
	fs.idle = append(fs.idle, f)
}

// place returns the file and offset for the next size bytes, moving on to an
// idle file when the current one has no room; no file when there is none idle.
func (fs *files) place(size int64) (f vfs.File, off, room int64, err error) {
	if size > fs.opt.FileSize {
		return nil, 0, 0, fmt.Errorf("a group of %d bytes does not fit into a file of %d", size, fs.opt.FileSize)
	}
	if fs.cur == nil || fs.off+size > fs.opt.FileSize {
		if len(fs.idle) == 0 {
			return nil, 0, 0, ErrFull
		}
		if fs.cur != nil {
			fs.used = append(fs.used, fs.cur)
		}
		fs.cur, fs.idle, fs.off = fs.idle[0], fs.idle[1:], 0
	}
	return fs.cur.f, fs.off, fs.opt.FileSize - fs.off, nil
}

func (fs *files) took(size int64, seq Pos) {
	fs.off += size
	fs.cur.last = seq
	fs.written += size
	fs.marks = append(fs.marks, mark{seq, fs.written})
}

// leave moves on from a file whose blocks are fresh when another is idle whose blocks
// are not, and the idle ones have room for what is needed, in units of any size: none
// is larger than half a file.
func (fs *files) leave(needed int64) {
	if fs.cur == nil || !fs.cur.sparse || fs.off < sparseMost || len(fs.idle) == 0 || fs.idle[0].sparse {
		return
	}
	if int64(len(fs.idle))*fs.opt.FileSize/2 < needed {
		return
	}
	if mutant.On("left-file-idle") {
		fs.idle, fs.cur = append(fs.idle, fs.cur), nil
		return
	}
	fs.used, fs.cur = append(fs.used, fs.cur), nil
}

// sparse takes a file out of the idle ones whose blocks are fresh, when another is left;
// nil when there is none.
func (fs *files) sparse() *file {
	i := slices.IndexFunc(fs.idle, func(f *file) bool { return f.sparse })
	if i < 0 || len(fs.idle) < 2 || fs.preparing {
		return nil
	}
	f := fs.idle[i]
	fs.idle = slices.Delete(fs.idle, i, i+1)
	return f
}

// wantsNext reports whether another file may and should be made.
func (fs *files) wantsNext() bool {
	return len(fs.idle) == 0 && !fs.preparing && fs.count < fs.opt.MaxFiles
}

// groupLimit is how large a group grows by gathering: what may be lost at the
// end of a file when the next group does not fit there.
func (fs *files) groupLimit() int { return int(min(chunkSize, fs.opt.FileSize/8)) }

// capacity is how many bytes of groups surely fit into the files that exist, when
// none is larger than the group limit or the given size: up to one group's size
// is lost at the end of each file.
func (fs *files) capacity(largest int) int64 {
	lost := int64(max(fs.groupLimit(), largest))
	n := int64(len(fs.idle)) * (fs.opt.FileSize - lost)
	if fs.cur != nil {
		n += max(0, fs.opt.FileSize-fs.off-lost)
	}
	return n
}

func (fs *files) live() int64 { return fs.written - fs.freed }

func (fs *files) free(p Pos) {
	for len(fs.marks) > 0 && fs.marks[0].seq <= p {
		fs.freed = fs.marks[0].total
		fs.marks = fs.marks[1:]
	}
	for len(fs.used) > 0 && fs.used[0].last <= p {
		fs.idle = append(fs.idle, fs.used[0])
		fs.used = fs.used[1:]
	}
}

func (fs *files) close() error {
	var errs []error
	for _, f := range append(append(fs.used, fs.idle...), fs.cur) {
		if f != nil {
			errs = append(errs, f.f.Close())
		}
	}
	return errors.Join(errs...)
}
