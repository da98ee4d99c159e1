package plog

import (
	"container/list"
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
	idle  list.List // of *openFile with no users, least recently used first
}

// openFile is a file with its users counted.
type openFile struct {
	vfs.File
	name  string
	users int
	gone  bool
	idle  *list.Element

	opened sched.Event // when File or err is set
	err    error
}

func newOpenFiles(limit int) *openFiles {
	return &openFiles{limit: limit, named: map[string]*openFile{}}
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
	f = &openFile{name: name, users: 1, opened: sched.NewEvent()}
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
