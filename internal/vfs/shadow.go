package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Shadow is a directory of another file system with every change kept in memory:
// reads come from below until something was written over them, and nothing below
// is ever touched. What opens a data directory through it sees exactly what a
// start would make of that directory, and leaves it as it was.
//
// What lies below must not change meanwhile. Nothing here is durable; syncs do
// nothing. Memory grows with what is written, by pages of 64 KiB; zeros cost
// nothing. Safe for concurrent use.
type Shadow struct {
	base FS
	root string

	mu  sync.RWMutex
	top *shadowNode // the root directory
}

var _ FS = (*Shadow)(nil)

const shadowPage = 64 << 10

// shadowNode is a directory (entries not nil) or a file.
type shadowNode struct {
	entries map[string]*shadowNode

	from  string // the file below; empty when there is none
	below int64  // how many of its bytes still count
	size  int64
	pages map[int64][]byte

	locked bool
}

// NewShadow looks through the directory root of base once, for names and sizes.
func NewShadow(base FS, root string) (*Shadow, error) {
	s := &Shadow{base: base, root: path.Clean(root)}
	var err error
	s.top, err = s.load(s.root)
	return s, err
}

func (s *Shadow) load(name string) (*shadowNode, error) {
	info, err := s.base.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return &shadowNode{from: name, below: info.Size(), size: info.Size(), pages: map[int64][]byte{}}, nil
	}
	n := &shadowNode{entries: map[string]*shadowNode{}}
	names, err := s.base.List(name)
	if err != nil {
		return nil, err
	}
	for _, e := range names {
		if n.entries[e], err = s.load(path.Join(name, e)); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// find returns the node of a name. Called with mu held.
func (s *Shadow) find(op, name string) (*shadowNode, error) {
	name = path.Clean(name)
	rest, ok := strings.CutPrefix(name, s.root)
	if !ok || rest != "" && rest[0] != '/' {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	n := s.top
	for part := range strings.SplitSeq(strings.Trim(rest, "/"), "/") {
		if part == "" {
			continue
		}
		if n.entries == nil {
			return nil, &fs.PathError{Op: op, Path: name, Err: syscall.ENOTDIR}
		}
		if n = n.entries[part]; n == nil {
			return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
	}
	return n, nil
}

// place returns the directory that holds name. Called with mu held.
func (s *Shadow) place(op, name string) (*shadowNode, string, error) {
	dir, err := s.find(op, path.Dir(path.Clean(name)))
	if err != nil {
		return nil, "", err
	}
	if dir.entries == nil {
		return nil, "", &fs.PathError{Op: op, Path: name, Err: syscall.ENOTDIR}
	}
	return dir, path.Base(name), nil
}

// Create implements FS.
func (s *Shadow) Create(name string) (File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir, base, err := s.place("create", name)
	if err != nil {
		return nil, err
	}
	n := dir.entries[base]
	switch {
	case n == nil:
		n = &shadowNode{pages: map[int64][]byte{}}
		dir.entries[base] = n
	case n.entries != nil:
		return nil, &fs.PathError{Op: "create", Path: name, Err: syscall.EISDIR}
	default:
		n.truncate(0)
	}
	return &shadowFile{fs: s, node: n, name: name, write: true}, nil
}

// Open implements FS.
func (s *Shadow) Open(name string) (File, error) { return s.open(name, true) }

// OpenRead implements FS.
func (s *Shadow) OpenRead(name string) (File, error) { return s.open(name, false) }

func (s *Shadow) open(name string, write bool) (File, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n, err := s.find("open", name)
	if err != nil {
		return nil, err
	}
	if n.entries != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EISDIR}
	}
	return &shadowFile{fs: s, node: n, name: name, write: write}, nil
}

// MkdirAll implements FS.
func (s *Shadow) MkdirAll(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = path.Clean(name)
	rest, ok := strings.CutPrefix(name, s.root)
	if !ok || rest != "" && rest[0] != '/' {
		return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrNotExist}
	}
	n := s.top
	for part := range strings.SplitSeq(strings.Trim(rest, "/"), "/") {
		if part == "" {
			continue
		}
		next := n.entries[part]
		if next == nil {
			next = &shadowNode{entries: map[string]*shadowNode{}}
			n.entries[part] = next
		}
		if next.entries == nil {
			return &fs.PathError{Op: "mkdir", Path: name, Err: syscall.ENOTDIR}
		}
		n = next
	}
	return nil
}

// Remove implements FS.
func (s *Shadow) Remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir, base, err := s.place("remove", name)
	if err != nil {
		return err
	}
	switch n := dir.entries[base]; {
	case n == nil:
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	case len(n.entries) > 0:
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOTEMPTY}
	}
	delete(dir.entries, base)
	return nil
}

// RemoveAll implements FS.
func (s *Shadow) RemoveAll(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir, base, err := s.place("remove", name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		delete(dir.entries, base)
	}
	return err
}

// Rename implements FS.
func (s *Shadow) Rename(oldname, newname string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, oldbase, err := s.place("rename", oldname)
	if err != nil {
		return err
	}
	to, newbase, err := s.place("rename", newname)
	if err != nil {
		return err
	}
	n := from.entries[oldbase]
	if n == nil {
		return &fs.PathError{Op: "rename", Path: oldname, Err: fs.ErrNotExist}
	}
	switch old := to.entries[newbase]; {
	case old == n:
		return nil
	case old == nil:
	case old.entries != nil && n.entries == nil:
		return &fs.PathError{Op: "rename", Path: newname, Err: syscall.EISDIR}
	case old.entries == nil && n.entries != nil:
		return &fs.PathError{Op: "rename", Path: newname, Err: syscall.ENOTDIR}
	case len(old.entries) > 0:
		return &fs.PathError{Op: "rename", Path: newname, Err: syscall.ENOTEMPTY}
	}
	delete(from.entries, oldbase)
	to.entries[newbase] = n
	return nil
}

// Link implements FS.
func (s *Shadow) Link(oldname, newname string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.find("link", oldname)
	if err != nil {
		return err
	}
	dir, base, err := s.place("link", newname)
	switch {
	case err != nil:
		return err
	case n.entries != nil:
		return &fs.PathError{Op: "link", Path: oldname, Err: syscall.EPERM}
	case dir.entries[base] != nil:
		return &fs.PathError{Op: "link", Path: newname, Err: fs.ErrExist}
	}
	dir.entries[base] = n
	return nil
}

// List implements FS.
func (s *Shadow) List(name string) ([]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n, err := s.find("list", name)
	if err != nil {
		return nil, err
	}
	if n.entries == nil {
		return nil, &fs.PathError{Op: "list", Path: name, Err: syscall.ENOTDIR}
	}
	names := make([]string, 0, len(n.entries))
	for e := range n.entries {
		names = append(names, e)
	}
	slices.Sort(names)
	return names, nil
}

// Stat implements FS.
func (s *Shadow) Stat(name string) (fs.FileInfo, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n, err := s.find("stat", name)
	if err != nil {
		return nil, err
	}
	return memInfo{name: path.Base(path.Clean("/" + name)), dir: n.entries != nil, size: n.size}, nil
}

// SyncDir implements FS; it only looks whether the directory is there.
func (s *Shadow) SyncDir(name string) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if path.Clean(name) == path.Dir(s.root) {
		return nil
	}
	n, err := s.find("syncdir", name)
	if err == nil && n.entries == nil {
		err = &fs.PathError{Op: "syncdir", Path: name, Err: syscall.ENOTDIR}
	}
	return err
}

// Lock implements FS. The lock is this file system's alone; whoever looks at a
// directory that others may be changing locks it below.
func (s *Shadow) Lock(name string) (io.Closer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir, base, err := s.place("lock", name)
	if err != nil {
		return nil, err
	}
	n := dir.entries[base]
	if n == nil {
		n = &shadowNode{pages: map[int64][]byte{}}
		dir.entries[base] = n
	}
	return s.lock(name, n)
}

// Hold implements FS.
func (s *Shadow) Hold(name string) (io.Closer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.find("lock", name)
	if err != nil {
		return nil, err
	}
	return s.lock(name, n)
}

func (s *Shadow) lock(name string, n *shadowNode) (io.Closer, error) {
	if n.locked {
		return nil, &fs.PathError{Op: "lock", Path: name, Err: ErrLocked}
	}
	n.locked = true
	return &shadowLock{s, n}, nil
}

type shadowLock struct {
	fs   *Shadow
	node *shadowNode
}

func (l *shadowLock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	l.node.locked = false
	return nil
}

// OpenVolume implements FS: there is nothing to gain, as no sync does anything.
func (s *Shadow) OpenVolume(name string) (Volume, error) {
	return nil, fmt.Errorf("sync of all of %s at once: %w", name, errors.ErrUnsupported)
}

// Free implements FS.
func (s *Shadow) Free(string) (int64, error) { return s.base.Free(s.root) }

// truncate is called with mu held.
func (n *shadowNode) truncate(size int64) {
	if size < n.size {
		for p, b := range n.pages {
			switch at := p * shadowPage; {
			case at >= size:
				delete(n.pages, p)
			case at+shadowPage > size:
				clear(b[size-at:])
			}
		}
		n.below = min(n.below, size)
	}
	n.size = size
}

// page reads what a page holds from below. Called with mu held.
func (s *Shadow) page(n *shadowNode, p int64) ([]byte, error) {
	b := make([]byte, shadowPage)
	return b, s.readBelow(n, b, p*shadowPage)
}

// readBelow fills b with the file below, zeros behind its end.
func (s *Shadow) readBelow(n *shadowNode, b []byte, at int64) error {
	clear(b)
	want := min(int64(len(b)), n.below-at)
	if want <= 0 {
		return nil
	}
	f, err := s.base.OpenRead(n.from)
	if err != nil {
		return err
	}
	defer f.Close()
	if got, err := f.ReadAt(b[:want], at); int64(got) < want {
		return fmt.Errorf("%s: %w", n.from, err)
	}
	return nil
}
