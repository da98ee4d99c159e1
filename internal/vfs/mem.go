package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Mem is a file system in memory that keeps apart what a program wrote and what
// a disk would hold, so that it can lose power (Crash) or its process (Kill).
// Sparse: pages of zeros that nobody wrote take no memory. The zero value is
// not usable; NewMem makes one. "/" and "." name the same, existing directory.
type Mem struct {
	// whole is held for reading by every operation and for writing by Crash and
	// Kill, which so see a moment between operations.
	whole sync.RWMutex
	seq   atomic.Uint64 // numbers the changes, for a crash that keeps their order

	mu      sync.Mutex // the fields below and every directory
	root    *node
	pending []nameOp       // changes of names that no SyncDir covered
	locked  map[*node]bool // lock files that are held
	space   spaceAccount
}

// node is a file or a directory.
type node struct {
	file *inode // nil for a directory
	// entries is what the program sees, durable what a disk holds.
	entries, durable map[string]*node
}

// nameOp is one change of names, which a crash keeps or loses as a whole.
type nameOp struct {
	seq     uint64
	changes []nameChange
}

// nameChange says that a name in a directory now means node; nil = nothing.
type nameChange struct {
	dir  *node
	name string
	node *node
}

var _ FS = (*Mem)(nil)

// NewMem returns an empty file system with as much space as one wants.
func NewMem() *Mem {
	m := &Mem{root: newDir(), locked: map[*node]bool{}}
	m.space.capacity.Store(math.MaxInt64)
	return m
}

func newDir() *node { return &node{entries: map[string]*node{}, durable: map[string]*node{}} }

func (n *node) isDir() bool { return n.file == nil }

func split(name string) []string {
	name = strings.Trim(path.Clean("/"+name), "/")
	if name == "" {
		return nil
	}
	return strings.Split(name, "/")
}

// walk finds the node of a path; m.mu is held.
func (m *Mem) walk(op, name string, parts []string) (*node, error) {
	n := m.root
	for _, p := range parts {
		if !n.isDir() {
			return nil, &fs.PathError{Op: op, Path: name, Err: syscall.ENOTDIR}
		}
		if n = n.entries[p]; n == nil {
			return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
	}
	return n, nil
}

// place finds the directory of a path and its last name; m.mu is held.
func (m *Mem) place(op, name string) (dir *node, base string, err error) {
	parts := split(name)
	if len(parts) == 0 {
		return nil, "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	last := len(parts) - 1
	if dir, err = m.walk(op, name, parts[:last]); err != nil {
		return nil, "", err
	}
	if !dir.isDir() {
		return nil, "", &fs.PathError{Op: op, Path: name, Err: syscall.ENOTDIR}
	}
	return dir, parts[last], nil
}

// change carries out a change of names and remembers that no disk has it yet;
// m.mu is held.
func (m *Mem) change(changes ...nameChange) {
	for _, c := range changes {
		if old := c.dir.entries[c.name]; old != nil && !old.isDir() {
			old.file.drop(-1, 0)
		}
		if c.node == nil {
			delete(c.dir.entries, c.name)
			continue
		}
		c.dir.entries[c.name] = c.node
		if !c.node.isDir() {
			c.node.file.drop(+1, 0)
		}
	}
	m.pending = append(m.pending, nameOp{m.seq.Add(1), changes})
}

// enter is held during an operation on names: defer m.enter()().
func (m *Mem) enter() func() {
	m.whole.RLock()
	m.mu.Lock()
	return func() {
		m.mu.Unlock()
		m.whole.RUnlock()
	}
}

func (m *Mem) Create(name string) (File, error) {
	defer m.enter()()
	dir, base, err := m.place("create", name)
	if err != nil {
		return nil, err
	}
	n := dir.entries[base]
	switch {
	case n == nil:
		n = &node{file: newInode(m)}
		m.change(nameChange{dir, base, n})
	case n.isDir():
		return nil, &fs.PathError{Op: "create", Path: name, Err: syscall.EISDIR}
	default:
		n.file.truncate(0)
	}
	return openMem(m, n.file, name, true), nil
}

func (m *Mem) Open(name string) (File, error) { return m.open(name, true) }

func (m *Mem) OpenRead(name string) (File, error) { return m.open(name, false) }

func (m *Mem) open(name string, write bool) (File, error) {
	defer m.enter()()
	n, err := m.walk("open", name, split(name))
	if err != nil {
		return nil, err
	}
	if n.isDir() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EISDIR}
	}
	return openMem(m, n.file, name, write), nil
}

func (m *Mem) MkdirAll(name string) error {
	defer m.enter()()
	n := m.root
	for _, p := range split(name) {
		next := n.entries[p]
		if next == nil {
			next = newDir()
			m.change(nameChange{n, p, next})
		}
		if !next.isDir() {
			return &fs.PathError{Op: "mkdir", Path: name, Err: syscall.ENOTDIR}
		}
		n = next
	}
	return nil
}

func (m *Mem) Remove(name string) error {
	defer m.enter()()
	dir, base, err := m.place("remove", name)
	if err != nil {
		return err
	}
	n := dir.entries[base]
	switch {
	case n == nil:
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	case n.isDir() && len(n.entries) > 0:
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOTEMPTY}
	}
	m.change(nameChange{dir, base, nil})
	return nil
}

func (m *Mem) RemoveAll(name string) error {
	defer m.enter()()
	dir, base, err := m.place("removeall", name)
	if err != nil {
		if parts := split(name); len(parts) > 0 {
			return nil // as os.RemoveAll: what is not there is gone
		}
		return err
	}
	m.removeTree(dir, base)
	return nil
}

// removeTree removes name by name, so that a crash can leave any part.
func (m *Mem) removeTree(dir *node, base string) {
	n := dir.entries[base]
	if n == nil {
		return
	}
	if n.isDir() {
		for _, name := range sortedNames(n.entries) {
			m.removeTree(n, name)
		}
	}
	m.change(nameChange{dir, base, nil})
}

func (m *Mem) Rename(oldname, newname string) error {
	defer m.enter()()
	from, oldbase, err := m.place("rename", oldname)
	if err != nil {
		return err
	}
	n := from.entries[oldbase]
	if n == nil {
		return &fs.PathError{Op: "rename", Path: oldname, Err: fs.ErrNotExist}
	}
	to, newbase, err := m.place("rename", newname)
	if err != nil {
		return err
	}
	switch old := to.entries[newbase]; {
	case old == n:
		return nil
	case old == nil:
	case old.isDir() && !n.isDir():
		return &fs.PathError{Op: "rename", Path: newname, Err: syscall.EISDIR}
	case !old.isDir() && n.isDir():
		return &fs.PathError{Op: "rename", Path: newname, Err: syscall.ENOTDIR}
	case old.isDir() && len(old.entries) > 0:
		return &fs.PathError{Op: "rename", Path: newname, Err: syscall.ENOTEMPTY}
	}
	m.change(nameChange{to, newbase, n}, nameChange{from, oldbase, nil})
	return nil
}

func (m *Mem) Link(oldname, newname string) error {
	defer m.enter()()
	n, err := m.walk("link", oldname, split(oldname))
	if err != nil {
		return err
	}
	dir, base, err := m.place("link", newname)
	switch {
	case err != nil:
		return err
	case n.isDir():
		return &fs.PathError{Op: "link", Path: oldname, Err: syscall.EPERM}
	case dir.entries[base] != nil:
		return &fs.PathError{Op: "link", Path: newname, Err: fs.ErrExist}
	}
	m.change(nameChange{dir, base, n})
	return nil
}

func (m *Mem) List(name string) ([]string, error) {
	defer m.enter()()
	n, err := m.walk("list", name, split(name))
	if err != nil {
		return nil, err
	}
	if !n.isDir() {
		return nil, &fs.PathError{Op: "list", Path: name, Err: syscall.ENOTDIR}
	}
	return sortedNames(n.entries), nil
}

func sortedNames(entries map[string]*node) []string {
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	defer m.enter()()
	n, err := m.walk("stat", name, split(name))
	if err != nil {
		return nil, err
	}
	info := memInfo{name: path.Base(path.Clean("/" + name)), dir: n.isDir()}
	if !info.dir {
		info.size, info.taken = n.file.space()
	}
	return info, nil
}

// SyncDir makes durable what happened to the names of the directory, and what
// happened before to names of other directories that a rename ties to them.
func (m *Mem) SyncDir(name string) error {
	defer m.enter()()
	n, err := m.walk("syncdir", name, split(name))
	if err != nil {
		return err
	}
	if !n.isDir() {
		return &fs.PathError{Op: "syncdir", Path: name, Err: syscall.ENOTDIR}
	}
	dirs := map[*node]bool{n: true}
	keep := make([]bool, len(m.pending))
	for i := len(m.pending) - 1; i >= 0; i-- {
		touches := slices.ContainsFunc(m.pending[i].changes, func(c nameChange) bool { return dirs[c.dir] })
		if !touches {
			keep[i] = true
			continue
		}
		for _, c := range m.pending[i].changes {
			dirs[c.dir] = true
		}
	}
	var rest []nameOp
	for i, op := range m.pending {
		if keep[i] {
			rest = append(rest, op)
			continue
		}
		for _, c := range op.changes {
			setEntry(c.dir.durable, c.name, c.node)
		}
	}
	m.pending = rest
	return nil
}

func setEntry(entries map[string]*node, name string, n *node) {
	if n == nil {
		delete(entries, name)
	} else {
		entries[name] = n
	}
}

func (m *Mem) Lock(name string) (io.Closer, error) {
	defer m.enter()()
	dir, base, err := m.place("lock", name)
	if err != nil {
		return nil, err
	}
	n := dir.entries[base]
	if n == nil {
		n = &node{file: newInode(m)}
		m.change(nameChange{dir, base, n})
	}
	return m.lock(name, n)
}

// Hold implements FS.
func (m *Mem) Hold(name string) (io.Closer, error) {
	defer m.enter()()
	n, err := m.walk("lock", name, split(name))
	if err != nil {
		return nil, err
	}
	return m.lock(name, n)
}

func (m *Mem) lock(name string, n *node) (io.Closer, error) {
	if m.locked[n] {
		return nil, fmt.Errorf("%s: %w", name, ErrLocked)
	}
	m.locked[n] = true
	return &memLock{m: m, n: n}, nil
}

type memLock struct {
	m *Mem
	n *node
}

func (l *memLock) Close() error {
	defer l.m.enter()()
	if l.n == nil {
		return os.ErrClosed
	}
	delete(l.m.locked, l.n)
	l.n = nil
	return nil
}

type memInfo struct {
	name        string
	size, taken int64
	dir         bool
}

// memTaken is what Sys tells of a file: see Taken.
type memTaken int64

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) ModTime() time.Time { return time.Time{} }
func (i memInfo) IsDir() bool        { return i.dir }
func (i memInfo) Sys() any           { return memTaken(i.taken) }
func (i memInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
