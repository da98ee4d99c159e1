package plog

import (
	"container/list"
	"sync"

	"github.com/leatdev/leat/internal/vfs"
)

// openFiles keeps the most recently used files open, so that an idle partition
// has none. A file in use is never closed.
type openFiles struct {
	mu    sync.Mutex
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
}

func newOpenFiles(limit int) *openFiles {
	return &openFiles{limit: limit, named: map[string]*openFile{}}
}

// open returns the named file, by way of opener when it is not open. Each open
// wants one done.
func (o *openFiles) open(name string, opener func(string) (vfs.File, error)) (*openFile, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.named[name]
	if f == nil {
		file, err := opener(name)
		if err != nil {
			return nil, err
		}
		f = &openFile{File: file, name: name}
		o.named[name] = f
	}
	if f.idle != nil {
		o.idle.Remove(f.idle)
		f.idle = nil
	}
	f.users++
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
	names := make([]string, 0, len(o.named))
	for name := range o.named {
		names = append(names, name)
	}
	o.mu.Unlock()
	for _, name := range names {
		o.forget(name)
	}
}
