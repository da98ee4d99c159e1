package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sync"
)

// Op is a kind of operation, for rules and traces; they combine by |.
type Op uint32

// The operations of FS and File.
const (
	OpCreate Op = 1 << iota
	OpOpen
	OpMkdir
	OpRemove // also RemoveAll
	OpRename
	OpLink
	OpList
	OpStat
	OpSyncDir
	OpLock
	OpFree
	OpRead
	OpWrite // also WritevAt
	OpSync
	OpTruncate
	OpAllocate
	OpClose
	OpSyncAll // Volume.Sync
)

// OpChange are the operations that change what a disk holds.
const OpChange = OpCreate | OpMkdir | OpRemove | OpRename | OpLink | OpSyncDir | OpLock | OpWrite | OpSync | OpTruncate | OpAllocate | OpSyncAll

var opNames = map[Op]string{
	OpCreate: "create", OpOpen: "open", OpMkdir: "mkdir", OpRemove: "remove", OpRename: "rename", OpLink: "link",
	OpList: "list", OpStat: "stat", OpSyncDir: "syncdir", OpLock: "lock", OpFree: "free", OpRead: "read", OpWrite: "write",
	OpSync: "sync", OpTruncate: "truncate", OpAllocate: "allocate", OpClose: "close",
	OpSyncAll: "syncall",
}

// Faulty wraps a file system with faults that a test asks for, gates, and a
// trace. Without any it behaves as what it wraps. Safe for concurrent use.
//
// Names in rules and gates are patterns of path.Match over the last element
// ("*.log"), or over the whole name when they hold a slash; for a rename or link
// the old or the new name may match. "" matches all.
type Faulty struct {
	fs FS

	mu    sync.Mutex
	rules []*Rule
	gates []*Gate
	trace Op
	lines []string
	to    func(line string)
	hook  func(op Op, name string)
}

var _ FS = (*Faulty)(nil)

// NewFaulty wraps a file system.
func NewFaulty(fs FS) *Faulty { return &Faulty{fs: fs} }

// Rule makes operations fail or reads lie. A field's zero value asks for nothing.
type Rule struct {
	Op   Op
	Name string
	// After lets so many matching operations pass first.
	After int
	// Times is how many fail then; 0 = all.
	Times int
	// Err is what they return (EIO, ErrNoSpace ...). A failing write leaves
	// Written bytes behind. A failing sync of a Mem drops the dirty pages as
	// Linux does.
	Err     error
	Written int
	// FlipBit, with Err nil, makes a read return the bit FlipAt&7 of the file's
	// byte FlipAt/8 inverted.
	FlipBit bool
	FlipAt  int64

	seen, hits int
}

// Add makes a rule effective. The first rule that matches an operation decides.
// The rule must not be changed afterwards.
func (f *Faulty) Add(r Rule) *Rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, &r)
	return &r
}

// Hits is how often the rule struck.
func (f *Faulty) Hits(r *Rule) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return r.hits
}

// Clear removes all rules: the disk is well again.
func (f *Faulty) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// Hook is called before each operation, after its gates, on the goroutine that
// asks for it and without any lock held. It may look at the file system that
// Faulty wraps: a test that crashes at every step takes its Crash there.
func (f *Faulty) Hook(fn func(op Op, name string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = fn
}

// Gate holds operations until it is opened.
type Gate struct {
	op      Op
	name    string
	arrived chan string
	open    chan struct{}
	once    sync.Once
}

// Gate makes matching operations wait. There may be at most 1024 of them in its
// life; more do not report themselves as arrived.
func (f *Faulty) Gate(op Op, name string) *Gate {
	g := &Gate{op: op, name: name, arrived: make(chan string, 1024), open: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gates = append(f.gates, g)
	return g
}

// Arrived gives the name of each operation that waits or waited at the gate.
func (g *Gate) Arrived() <-chan string { return g.arrived }

// Open lets those that wait, and all later ones, pass.
func (g *Gate) Open() { g.once.Do(func() { close(g.open) }) }

// Trace starts to note the operations, one line each, until the next call;
// Trace(0) ends it. What was noted before is forgotten.
func (f *Faulty) Trace(ops Op) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trace, f.lines, f.to = ops, nil, nil
}

// TraceTo is Trace with the lines handed on one by one. to must not call f.
func (f *Faulty) TraceTo(ops Op, to func(line string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trace, f.lines, f.to = ops, nil, to
}

// Lines returns what Trace noted: the operation, its names, for reads and
// writes the offset and length, and the error if there was one. A concurrent
// program's lines come in the order of completion.
func (f *Faulty) Lines() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.lines...)
}

func match(op, ops Op, pattern string, names ...string) bool {
	if op&ops == 0 {
		return false
	}
	if pattern == "" {
		return true
	}
	whole := path.Base(pattern) != pattern
	for _, name := range names {
		if !whole {
			name = path.Base(name)
		}
		if ok, err := path.Match(pattern, name); ok || err != nil {
			return err == nil
		}
	}
	return false
}

// before passes the gates and the hook and finds the rule that strikes.
func (f *Faulty) before(op Op, names ...string) *Rule {
	f.mu.Lock()
	var wait []*Gate
	for _, g := range f.gates {
		if match(op, g.op, g.name, names...) {
			wait = append(wait, g)
		}
	}
	hook := f.hook
	f.mu.Unlock()
	for _, g := range wait {
		select {
		case g.arrived <- names[0]:
		default:
		}
		<-g.open
	}
	if hook != nil {
		hook(op, names[0])
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rules {
		if !match(op, r.Op, r.Name, names...) {
			continue
		}
		r.seen++
		if r.seen > r.After && (r.Times == 0 || r.hits < r.Times) {
			r.hits++
			return r
		}
	}
	return nil
}

func (f *Faulty) note(op Op, err error, what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.trace&op == 0 {
		return
	}
	line := opNames[op] + " " + what
	if err != nil {
		line += ": " + err.Error()
	}
	if f.to != nil {
		f.to(line)
		return
	}
	f.lines = append(f.lines, line)
}

// do runs one operation of names.
func (f *Faulty) do(op Op, run func() error, names ...string) error {
	var err error
	if r := f.before(op, names...); r != nil && r.Err != nil {
		err = &fs.PathError{Op: opNames[op], Path: names[0], Err: r.Err}
	} else {
		err = run()
	}
	what := names[0]
	if len(names) > 1 {
		what += " " + names[1]
	}
	f.note(op, err, what)
	return err
}

func (f *Faulty) open(op Op, name string, run func(string) (File, error)) (File, error) {
	var file File
	err := f.do(op, func() (err error) {
		file, err = run(name)
		return err
	}, name)
	if err != nil {
		return nil, err
	}
	return &faultyFile{f: f, file: file, name: name}, nil
}

func (f *Faulty) Create(name string) (File, error) { return f.open(OpCreate, name, f.fs.Create) }

func (f *Faulty) Open(name string) (File, error) { return f.open(OpOpen, name, f.fs.Open) }

func (f *Faulty) OpenRead(name string) (File, error) { return f.open(OpOpen, name, f.fs.OpenRead) }

func (f *Faulty) MkdirAll(name string) error {
	return f.do(OpMkdir, func() error { return f.fs.MkdirAll(name) }, name)
}

func (f *Faulty) Remove(name string) error {
	return f.do(OpRemove, func() error { return f.fs.Remove(name) }, name)
}

func (f *Faulty) RemoveAll(name string) error {
	return f.do(OpRemove, func() error { return f.fs.RemoveAll(name) }, name)
}

func (f *Faulty) Rename(oldname, newname string) error {
	return f.do(OpRename, func() error { return f.fs.Rename(oldname, newname) }, oldname, newname)
}

func (f *Faulty) Link(oldname, newname string) error {
	return f.do(OpLink, func() error { return f.fs.Link(oldname, newname) }, oldname, newname)
}

func (f *Faulty) SyncDir(name string) error {
	return f.do(OpSyncDir, func() error { return f.fs.SyncDir(name) }, name)
}

func (f *Faulty) List(name string) (names []string, err error) {
	err = f.do(OpList, func() (err error) { names, err = f.fs.List(name); return err }, name)
	return names, err
}

func (f *Faulty) Stat(name string) (info fs.FileInfo, err error) {
	err = f.do(OpStat, func() (err error) { info, err = f.fs.Stat(name); return err }, name)
	return info, err
}

func (f *Faulty) Lock(name string) (lock io.Closer, err error) {
	err = f.do(OpLock, func() (err error) { lock, err = f.fs.Lock(name); return err }, name)
	return lock, err
}

// Hold implements FS.
func (f *Faulty) Hold(name string) (lock io.Closer, err error) {
	err = f.do(OpOpen, func() (err error) { lock, err = f.fs.Hold(name); return err }, name)
	return lock, err
}

func (f *Faulty) Free(name string) (n int64, err error) {
	err = f.do(OpFree, func() (err error) { n, err = f.fs.Free(name); return err }, name)
	return n, err
}

func (f *Faulty) OpenVolume(name string) (Volume, error) {
	v, err := f.fs.OpenVolume(name)
	if err != nil {
		return nil, err
	}
	return &faultyVolume{f, v, name}, nil
}

type faultyVolume struct {
	f    *Faulty
	v    Volume
	name string
}

// Sync fails as a rule asks. What a Mem had not synced is lost then, and each
// file tells of it once.
func (v *faultyVolume) Sync(most int64) (err error) {
	r := v.f.before(OpSyncAll, v.name)
	defer func() { v.f.note(OpSyncAll, err, v.name) }()
	if r == nil || r.Err == nil {
		return v.v.Sync(most)
	}
	if m, ok := v.v.(interface{ FailSync() }); ok && !errors.Is(r.Err, ErrBusy) {
		m.FailSync()
	}
	return &fs.PathError{Op: opNames[OpSyncAll], Path: v.name, Err: r.Err}
}

func (v *faultyVolume) Close() error { return v.v.Close() }

func span(name string, off int64, n int64) string { return fmt.Sprintf("%s %d+%d", name, off, n) }
