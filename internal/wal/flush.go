package wal

import (
	"errors"
	"sync/atomic"

	"github.com/leatdev/leat/internal/mutant"
	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/vfs"
)

// run is the flusher: it takes what has gathered, makes it durable and tells
// those who wait, until the log is closed and empty.
func (w *WAL) run() {
	defer w.finished.Set()
	for {
		groups := w.take()
		if groups == nil {
			return
		}
		w.finish(groups, w.flush(groups))
	}
}

// Flush flushes what has gathered, here and now, unless somebody flushes already: then
// it returns at once, and what has gathered is flushed next. It is for who would else
// only wait for the flusher, after Gather: on a machine with nothing to do it takes
// longer to wake another goroutine, and to be woken, than to write. What waits for
// the flush is called on the caller's goroutine.
func (w *WAL) Flush() {
	w.mu.Lock()
	if w.busy || w.empty() {
		w.mu.Unlock()
		return
	}
	groups := w.begin(w.crowd)
	w.mu.Unlock()
	w.finish(groups, w.flush(groups))
}

// Wake has the flusher flush what has gathered, for who is going to wait and may have
// gathered some of it.
func (w *WAL) Wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.busy && !w.empty() {
		w.work.Signal()
	}
}

// empty reports whether nothing waits to be flushed. Called with mu held.
func (w *WAL) empty() bool { return w.open == nil && len(w.sealed) == 0 }

// take waits for groups that nobody else flushes. It returns nil when the log is
// closed and empty.
func (w *WAL) take() []*group {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.busy || w.empty() {
		if w.closed && !w.busy {
			return nil
		}
		w.work.Wait()
	}
	return w.begin(true)
}

// begin starts a flush of what has gathered. Called with mu held, which it lets go of
// for a moment; nobody else flushes, and there is something.
//
// Those who can run now and are about to enqueue come along: a flush costs the same for
// them. When nobody can this takes no time but that of waking an idle processor in
// vain, which who flushes by itself is spared unless others were about (gather).
func (w *WAL) begin(gather bool) []*group {
	w.busy = true
	if gather {
		w.mu.Unlock()
		sched.Yield()
		w.mu.Lock()
	}
	if w.open != nil {
		w.seal()
	}
	w.flushing, w.sealed = w.sealed, nil
	units := 0
	for _, g := range w.flushing {
		units += g.units
	}
	w.crowd = units > 1
	return w.flushing
}

// finish wakes everybody who waits for groups. The first failure is final: what
// a failed sync has dropped from the page cache cannot be synced again.
func (w *WAL) finish(groups []*group, err error) {
	w.mu.Lock()
	if err != nil {
		w.fail(err)
	}
	// Also when it was somebody else's disk access that has failed meanwhile: what the
	// groups refer to may have been lost by it.
	err = w.err
	// The groups count as durable when those who made them have been told: an
	// acknowledgement never overtakes the high watermark that it stands for.
	for fns := callbacks(groups); len(fns) > 0; fns = callbacks(groups) {
		w.mu.Unlock()
		for _, fn := range fns {
			fn(err)
		}
		w.mu.Lock()
	}
	if err == nil {
		w.durable.Store(uint64(groups[len(groups)-1].seq))
	}
	w.flushing, w.busy = nil, false
	w.queued -= diskSize(groups)
	if w.empty() {
		w.largest = 0
	}
	if !w.empty() || w.closed {
		w.work.Signal() // the flusher, when it is not the one that has flushed
	}
	w.room.Broadcast()
	w.mu.Unlock()
	for _, g := range groups {
		for _, s := range g.before {
			s.Done()
		}
		g.chunk.release()
	}
}

// callbacks takes what waits for the groups, in order. Called with mu held.
func callbacks(groups []*group) (fns []func(error)) {
	for _, g := range groups {
		fns = append(fns, g.written...) // left over from a flush that failed before its write was done
		fns = append(fns, g.done...)
		g.written, g.done = nil, nil
	}
	return fns
}

func diskSize(groups []*group) (n int64) {
	for _, g := range groups {
		n += int64(align(g.end-g.start, blockSize))
	}
	return n
}

// flush writes the groups in order and syncs once.
func (w *WAL) flush(groups []*group) error {
	if err := w.Err(); err != nil {
		return err
	}
	if !w.opt.Relaxed && !mutant.On("direct-sync") {
		if err := syncBefore(groups); err != nil {
			return err
		}
	}
	var dirty []vfs.File
	for len(groups) > 0 {
		// Groups that follow each other in one chunk go out as one write.
		run, size := 1, w.prepare(groups[0])
		f, off, room, err := w.place(int64(size))
		if err != nil {
			return err
		}
		first := groups[0]
		for run < len(groups) && groups[run].chunk == first.chunk && groups[run].start == first.start+size {
			n := align(groups[run].end-groups[run].start, blockSize)
			if int64(size+n) > room {
				break
			}
			size += w.prepare(groups[run])
			run++
		}
		w.took(int64(size), groups[run-1].seq)
		end := min(first.start+size, len(first.chunk.buf))
		if _, err := f.WriteAt(first.chunk.buf[first.start:end], off); err != nil {
			return err
		}
		if len(dirty) == 0 || dirty[len(dirty)-1] != f {
			dirty = append(dirty, f)
		}
		groups = groups[run:]
	}
	w.tellWritten()
	if w.opt.Relaxed {
		return nil
	}
	for _, f := range dirty {
		if mutant.On("wal-sync") {
			break
		}
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// syncBefore makes durable what the groups refer to, each file once and some at the
// same time: the journal of the file system takes them along together.
func syncBefore(groups []*group) error {
	var files []Syncer
	known := map[Syncer]bool{}
	for _, g := range groups {
		for _, s := range g.before {
			if !known[s] {
				known[s] = true
				files = append(files, s)
			}
		}
	}
	if len(files) < 2 {
		for _, s := range files {
			return s.Sync()
		}
		return nil
	}
	// The disk writes the first while the others are sent to it, by one goroutine: those
	// that sync them find little left but to wait.
	for _, s := range files {
		if b, ok := s.(Beginner); ok {
			b.Begin()
		}
	}
	var next atomic.Int64
	errs := make([]error, len(files))
	sync := func() {
		for i := next.Add(1) - 1; i < int64(len(files)); i = next.Add(1) - 1 {
			errs[i] = files[i].Sync()
		}
	}
	var done sched.WaitGroup
	for range min(len(files), syncsAtOnce) - 1 {
		done.Go(sync)
	}
	sync()
	done.Wait()
	return errors.Join(errs...)
}

// syncsAtOnce is how many files are synced at the same time.
const syncsAtOnce = 8

// tellWritten wakes those who wait for the write only.
func (w *WAL) tellWritten() {
	w.mu.Lock()
	var fns []func(error)
	for _, g := range w.flushing {
		fns = append(fns, g.written...)
		g.written = nil
	}
	w.written.Store(uint64(w.flushing[len(w.flushing)-1].seq))
	w.mu.Unlock()
	for _, fn := range fns {
		fn(nil)
	}
}

// prepare fills in the group's header and returns its size on disk.
func (w *WAL) prepare(g *group) int {
	h := groupHeader{
		salt: w.opt.Salt, seq: g.seq, durable: w.Durable(),
		length: uint32(g.end - g.start), frames: g.frames, sum: g.sum,
	}
	h.put(g.chunk.buf[g.start:])
	return align(g.end-g.start, blockSize)
}

// place returns where the next size bytes go and how much room is there.
// Enqueue has seen to it that there is room.
func (w *WAL) place(size int64) (f vfs.File, off, room int64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files.leave(w.queued + w.reserved + w.opt.FileSize/4) // as hasRoom has promised
	return w.files.place(size)
}

// took accounts for bytes placed and sees to the next file in good time.
func (w *WAL) took(size int64, seq Pos) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files.took(size, seq)
	w.live.Store(w.files.live())
	if w.files.off >= w.opt.FileSize/16 {
		w.makeAhead() // not sooner: a start, or a broker that does little, has no use for it
	}
}

// makeAhead starts the making of another file when none is idle: space is taken
// before it is needed. Called with mu held.
func (w *WAL) makeAhead() {
	if !w.files.wantsNext() || w.closed {
		return
	}
	w.files.preparing = true
	name := w.files.nextName()
	sched.Go(func() {
		f, err := makeFile(&w.opt, name, true)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.made(f, err)
	})
}

// fillIdle has a file filled whose blocks are fresh, before it is used again. Called with
// mu held.
func (w *WAL) fillIdle() {
	f := w.files.sparse()
	if f == nil || w.closed {
		return
	}
	w.files.preparing = true
	w.files.count--
	sched.Go(func() {
		err := f.fill(w.opt.FileSize)
		if err != nil {
			err = errors.Join(err, f.f.Close(), w.opt.FS.Remove(f.name))
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.made(f, err)
	})
}

// made files a new file, or remembers why there is none.
func (w *WAL) made(f *file, err error) {
	w.files.preparing = false
	if err == nil {
		w.files.add(f)
		w.full = nil
	} else if len(w.files.idle) > 0 {
		// A checkpoint has given files back meanwhile, or this was one of them: nothing
		// is refused that nobody would take back, since none is made before these are used.
		w.opt.Logger.Warn("a file of the write-ahead log is given up, there are others", "dir", w.opt.Dir, "err", err)
	} else {
		if w.full == nil {
			w.opt.Logger.Warn("cannot make the next file of the write-ahead log: producers are refused until that works", "dir", w.opt.Dir, "err", err)
		}
		w.full = err
	}
	w.room.Broadcast()
	w.work.Broadcast()
}
