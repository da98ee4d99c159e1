package plog

import (
	"container/list"
	"errors"
	"maps"
	"slices"

	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/vfs"
)

// openFiles keeps the most recently used files open, so that an idle partition
// has none. A file in use is never closed.
type openFiles struct {
	mu    sched.Mutex
	limit int
	named map[string]*openFile
	idle  list.List        // of *openFile with no users, least recently used first
	lost  map[string]error // names of files whose sync has failed: nobody knows what they lack
}

// openFile is a file with its users counted.
type openFile struct {
	vfs.File
	in    *openFiles
	name  string
	users int
	gone  bool
	idle  *list.Element

	opened sched.Event // when File or err is set
	err    error

	syncing sched.Mutex // one sync at a time
	full    error       // a sync has found no space: with syncing held
}

func newOpenFiles(limit int) *openFiles {
	return &openFiles{limit: limit, named: map[string]*openFile{}, lost: map[string]error{}}
}

// open returns the named file, by way of opener when it is not open. Each open
// wants one done. A slow opener keeps only those waiting who want the same file.
func (o *openFiles) open(name string, opener func(string) (vfs.File, error)) (*openFile, error) {
	o.mu.Lock()
	f := o.named[name]
	if f != nil {
		if f.idle != nil {
			o.idle.Remove(f.idle)
			f.idle = nil
		}
		f.users++
		o.mu.Unlock()
		f.opened.Wait()
		if f.err != nil {
			return nil, f.err
		}
		return f, nil
	}
	f = &openFile{in: o, name: name, users: 1, opened: sched.NewEvent()}
	o.named[name] = f
	o.mu.Unlock()
	f.File, f.err = opener(name)
	if f.err != nil {
		o.mu.Lock()
		if o.named[name] == f {
			delete(o.named, name)
		}
		o.mu.Unlock()
		f.opened.Set()
		return nil, f.err
	}
	f.opened.Set()
	return f, nil
}

// Sync implements vfs.File, and wal.Syncer. A failure is told to everybody who has the
// file open then, and but for a full disk to whoever syncs it from then on: the system
// tells only one of those who sync at about the same time, and has dropped what all of
// them have written.
func (f *openFile) Sync() error {
	f.syncing.Lock()
	defer f.syncing.Unlock()
	if f.full != nil {
		return f.full
	}
	if err := f.in.failed(f.name); err != nil {
		return err
	}
	err := f.File.Sync()
	switch {
	case err == nil:
	case errors.Is(err, vfs.ErrNoSpace):
		f.full = err
		f.in.leave(f) // who opens it from now on writes all of it anew
	default:
		f.in.fail(f.name, err)
	}
	return err
}

// failed returns why the file's syncs cannot be believed any more.
func (o *openFiles) failed(name string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lost[name]
}

// fail has every sync of the file fail from now on.
func (o *openFiles) fail(name string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lost[name] = err
}

// leave keeps a file, which is in use, for those who have it open.
func (o *openFiles) leave(f *openFile) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.named[f.name] == f {
		delete(o.named, f.name)
		f.gone = true
	}
}

// done gives a file back.
func (o *openFiles) done(f *openFile) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f.users--
	switch {
	case f.users > 0:
	case f.gone:
		f.File.Close()
	default:
		f.idle = o.idle.PushBack(f)
		for o.idle.Len() > o.limit {
			old := o.idle.Remove(o.idle.Front()).(*openFile)
			old.idle = nil
			delete(o.named, old.name)
			old.File.Close()
		}
	}
}

// forget closes the named file, when its last user is done with it: its name
// is about to go.
func (o *openFiles) forget(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.lost, name)
	f := o.named[name]
	if f == nil {
		return
	}
	delete(o.named, name)
	f.gone = true
	if f.idle != nil {
		o.idle.Remove(f.idle)
		f.idle = nil
		f.File.Close()
	}
}

// closeAll closes what is idle, at the end of the store's life.
func (o *openFiles) closeAll() {
	o.mu.Lock()
	names := slices.Sorted(maps.Keys(o.named))
	o.mu.Unlock()
	for _, name := range names {
		o.forget(name)
	}
}
