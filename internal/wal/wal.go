package wal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat/internal/mutant"
	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/vfs"
)

// Options of a log. FS, Dir, Salt and Next must be set.
type Options struct {
	FS  vfs.FS
	Dir string
	// Salt marks the groups of this data directory.
	Salt uint64
	// Next is the sequence number of the first group: larger than any that was
	// ever written in this directory.
	Next Pos
	// FileSize is the size of one file in bytes; default 32 MiB.
	FileSize int64
	// MaxFiles bounds the log; default 8. At the bound WaitRoom waits for a checkpoint.
	MaxFiles int
	// MaxMemory bounds the chunks in use before WaitRoom blocks; default 128 MiB,
	// or a quarter of the process's memory limit when that is less.
	MaxMemory int64
	// Crowded (may be nil) is called when somebody begins to wait for room or finds
	// none: it is time for a checkpoint. It must not block.
	Crowded func()
	// Relaxed leaves out the syncs: for tests of things above, never for data.
	Relaxed bool
	Logger  *slog.Logger
}

// Syncer is a file that must be durable before the group that refers to it. It
// must be comparable: equal ones are the same file and are synced once a flush.
type Syncer interface {
	Sync() error
	// Done is called once for each Syncer that Enqueue has taken, when the flush
	// does not need it any more, however that ended.
	Done()
}

// Beginner is a Syncer that can have the system begin to write what Sync is to make
// durable. It promises nothing.
type Beginner interface {
	Begin()
}

// ErrFull says that the log could not make another file, for want of disk space
// as a rule. Commits and deletes still fit into what is reserved.
var ErrFull = errors.New("no room for another file of the write-ahead log")

// ErrClosed is what waiters get when the log is closed under them.
var ErrClosed = errors.New("write-ahead log is closed")

// maxQueued is how many bytes may wait for the flusher before WaitRoom blocks.
const maxQueued = 16 << 20

// WAL is the log. Its methods may be called from any goroutine.
type WAL struct {
	opt   Options
	pool  chunkPool
	files files

	written atomic.Uint64
	durable atomic.Uint64
	live    atomic.Int64

	mu       sched.Mutex
	work     sched.Cond // the flusher waits for groups
	room     sched.Cond // producers wait for the flusher or for a checkpoint
	open     *group     // gathers frames; nil when there are none
	cur      *chunk
	curOff   int
	sealed   []*group
	busy     bool     // a flush is under way: the flusher's or, by Flush, somebody else's
	flushing []*group // what it flushes
	crowd    bool     // the last flush had more than one unit
	queued   int64    // bytes that wait for the flusher, as they will lie on disk
	reserved int64    // bytes that WaitRoom has promised
	largest  int      // the largest unit that waits for the flusher
	next     Pos
	err      error
	full     error // why the next file could not be made
	closed   bool
	finished sched.Event
}

// group is a run of frames that becomes durable at once or not at all.
type group struct {
	seq        Pos
	chunk      *chunk
	start, end int // in the chunk; end without padding
	frames     uint32
	units      int    // calls that made it
	sum        uint32 // of the frames
	before     []Syncer
	written    []func(error)
	done       []func(error)
}

// Open starts a log on what Scan has left in dir: existing files are used
// again. Nothing that they hold is needed any more.
func Open(opt Options) (*WAL, error) {
	if opt.FileSize == 0 {
		opt.FileSize = 32 << 20
	}
	if opt.MaxFiles == 0 {
		opt.MaxFiles = 8
	}
	if opt.MaxMemory == 0 {
		opt.MaxMemory = min(128<<20, debug.SetMemoryLimit(-1)/4)
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.FileSize%blockSize != 0 || opt.MaxFiles < 2 {
		return nil, fmt.Errorf("write-ahead log: file size %d must be a multiple of %d and there must be at least 2 files, not %d", opt.FileSize, blockSize, opt.MaxFiles)
	}
	w := &WAL{opt: opt, next: max(opt.Next, 1), finished: sched.NewEvent()}
	w.work.L, w.room.L = &w.mu, &w.mu
	w.written.Store(uint64(w.next - 1))
	w.durable.Store(uint64(w.next - 1))
	if err := w.files.open(&w.opt); err != nil {
		return nil, err
	}
	sched.Go(w.run)
	return w, nil
}

// Enqueue adds frames to the open group, all of them to the same one, and
// returns its position. The bytes of the frames' Data are copied and Data is
// set to the copy. before are synced ahead of the group; done (may be nil) is
// called once, on the goroutine that flushes, with nil after the flush or with why
// it failed. Enqueue never blocks on the disk; those who append data call
// WaitRoom first.
func (w *WAL) Enqueue(frames []*Frame, before []Syncer, done func(error)) (Pos, error) {
	return w.enqueue(frames, before, done, true)
}

// Gather is Enqueue for who calls Flush afterwards, whatever happens in between: it
// leaves the flusher asleep.
func (w *WAL) Gather(frames []*Frame, before []Syncer, done func(error)) (Pos, error) {
	return w.enqueue(frames, before, done, false)
}

func (w *WAL) enqueue(frames []*Frame, before []Syncer, done func(error), wake bool) (Pos, error) {
	need := 0
	for _, f := range frames {
		need += f.encodedSize()
	}
	if max := w.opt.FileSize - groupHeaderSize; int64(need) > max {
		return 0, fmt.Errorf("%d bytes must go together, a file of the write-ahead log holds %d", need, max)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	if w.closed {
		return 0, ErrClosed
	}
	size := align(need+groupHeaderSize, blockSize)
	if w.files.capacity(max(w.largest, size))-w.queued < int64(size) {
		// The flusher must never stand before full files: a checkpoint, which
		// would free them, waits for the flusher.
		w.makeAhead()
		if w.opt.Crowded != nil {
			w.opt.Crowded()
		}
		return 0, ErrFull
	}
	w.largest = max(w.largest, size)
	g := w.groupFor(need)
	for _, f := range frames {
		size, data := f.put(w.cur.buf[w.curOff:])
		g.sum = sumFrame(g.sum, w.cur.buf[w.curOff:])
		w.curOff += size
		f.Data = data
		if f.Kind == KindBatch {
			f.chunk = w.cur
			w.cur.retain()
		}
	}
	g.frames += uint32(len(frames))
	g.units++
	w.queued += int64(align(w.curOff-g.start, blockSize) - align(g.end-g.start, blockSize))
	g.end = w.curOff
	g.before = append(g.before, before...)
	if done != nil {
		g.done = append(g.done, done)
	}
	if wake && !w.busy {
		w.work.Signal() // who flushes looks by itself whether more has gathered
	}
	return g.seq, nil
}

// groupFor returns an open group with room for need bytes of frames at curOff.
func (w *WAL) groupFor(need int) *group {
	if w.open != nil && (w.curOff+need > len(w.cur.buf) || w.curOff-w.open.start+need > w.files.groupLimit()) {
		w.seal()
	}
	if w.open != nil {
		return w.open
	}
	if w.cur == nil || w.curOff+groupHeaderSize+need > len(w.cur.buf) {
		if w.cur != nil {
			w.cur.release()
		}
		w.cur, w.curOff = w.pool.get(groupHeaderSize+need), 0
	}
	w.cur.retain()
	w.open = &group{seq: w.next, chunk: w.cur, start: w.curOff, end: w.curOff + groupHeaderSize}
	w.next++
	w.curOff += groupHeaderSize
	w.queued += blockSize
	return w.open
}

// seal closes the open group and leaves curOff on the next block.
func (w *WAL) seal() {
	g := w.open
	w.open = nil
	w.sealed = append(w.sealed, g)
	next := min(align(g.end, blockSize), len(w.cur.buf))
	clear(w.cur.buf[g.end:next])
	w.curOff = next
}

// WaitRoom keeps n bytes for one Enqueue that follows, and blocks while there
// is no room for them: back-pressure for those who append data. The caller
// calls release after its Enqueue, or when there is none. The error is ErrFull
// when the disk is full, the log's failure when it has failed.
func (w *WAL) WaitRoom(ctx context.Context, n int) (release func(), err error) {
	size := int64(align(n+groupHeaderSize+frameHeaderSize, blockSize))
	if limit := w.opt.FileSize / 2; size > limit {
		return nil, fmt.Errorf("%d bytes are more than half a file of the write-ahead log (%d)", n, w.opt.FileSize)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.hasRoom(size) && w.roomErr() == nil {
		stop := sched.AfterCancel(ctx, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.room.Broadcast()
		})
		defer stop()
		for !w.hasRoom(size) && w.roomErr() == nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			w.work.Signal() // what the caller itself has gathered may be in the way
			w.makeAhead()
			if w.opt.Crowded != nil && w.queued <= maxQueued {
				w.opt.Crowded() // else the flusher is behind, and a checkpoint would only slow it down
			}
			w.room.Wait()
		}
	}
	if err := w.roomErr(); err != nil {
		if w.full != nil {
			w.makeAhead() // whether it still is so
		}
		return nil, err
	}
	return w.reserve(size), nil
}

// reserve keeps size bytes until it is called back. Called with mu held.
func (w *WAL) reserve(size int64) (release func()) {
	w.reserved += size
	return func() {
		w.mu.Lock()
		w.reserved -= size
		w.room.Broadcast()
		w.mu.Unlock()
	}
}

// WaitReserve keeps n bytes of what belongs to commits and deletes for one Enqueue
// that follows; the caller calls release after it. While a checkpoint is all that
// stands between them and room it waits, for d at most: those who can wait are not
// to be refused because the checkpoint is slow. It refuses nobody itself: whether
// there is room in the end, Enqueue says.
func (w *WAL) WaitReserve(d time.Duration, n int) (release func()) {
	size := int64(align(n+groupHeaderSize+frameHeaderSize, blockSize))
	w.mu.Lock()
	defer w.mu.Unlock()
	fits := func() bool {
		return w.files.capacity(max(w.largest, int(size)))-w.queued-w.reserved >= size
	}
	if !fits() && w.roomErr() == nil {
		late := false
		timer := sched.AfterFunc(d, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			late = true
			w.room.Broadcast()
		})
		defer timer.Stop()
		for !fits() && w.roomErr() == nil && !late {
			w.work.Signal() // as in WaitRoom
			w.makeAhead()
			if w.opt.Crowded != nil {
				w.opt.Crowded()
			}
			w.room.Wait()
		}
	}
	if !fits() {
		return func() {}
	}
	return w.reserve(size)
}

// hasRoom reports whether size more bytes of data may come. What lies between
// this bound and the end of the files belongs to commits and deletes.
func (w *WAL) hasRoom(size int64) bool {
	if w.queued > maxQueued || w.Memory() > w.opt.MaxMemory {
		return false
	}
	return w.files.capacity(max(w.largest, int(size)))-w.queued-w.reserved-size >= w.opt.FileSize/4
}

func (w *WAL) roomErr() error {
	switch {
	case w.err != nil:
		return w.err
	case w.full != nil:
		return fmt.Errorf("%w: %w", ErrFull, w.full)
	case w.closed:
		return ErrClosed
	}
	return nil
}

// WhenDurable calls fn once the group at p is durable (nil) or cannot become it
// (the log's failure): at once on the caller's goroutine when that is known,
// else on that of who flushes. fn must not block.
func (w *WAL) WhenDurable(p Pos, fn func(error)) {
	if mutant.On("early-ack") {
		w.WhenWritten(p, fn)
		return
	}
	w.when(p, &w.durable, fn, func(g *group) *[]func(error) { return &g.done })
}

// WhenWritten is WhenDurable for those who only need the bytes to be with the
// operating system: they survive the end of the process, not of the machine.
func (w *WAL) WhenWritten(p Pos, fn func(error)) {
	if mutant.On("ack-before-write") {
		fn(nil)
		return
	}
	w.when(p, &w.written, fn, func(g *group) *[]func(error) { return &g.written })
}

func (w *WAL) when(p Pos, reached *atomic.Uint64, fn func(error), list func(*group) *[]func(error)) {
	if p <= Pos(reached.Load()) {
		fn(nil)
		return
	}
	w.mu.Lock()
	if err := w.err; err != nil || p <= Pos(reached.Load()) {
		if p <= Pos(reached.Load()) {
			err = nil
		}
		w.mu.Unlock()
		fn(err)
		return
	}
	defer w.mu.Unlock()
	l := list(w.pending(p))
	*l = append(*l, fn)
}

// pending returns the first group at or after p that is not durable yet.
func (w *WAL) pending(p Pos) *group {
	for _, gs := range [][]*group{w.flushing, w.sealed} {
		for _, g := range gs {
			if g.seq >= p {
				return g
			}
		}
	}
	if w.open != nil {
		return w.open
	}
	return w.groupFor(0) // p is a position that was never given out
}

// Durable returns the position up to which everything is on disk.
func (w *WAL) Durable() Pos { return Pos(w.durable.Load()) }

// Err returns why the log has failed; nil while it works.
func (w *WAL) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Last returns the position of the newest frame that was ever taken in.
func (w *WAL) Last() Pos {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.next - 1
}

// Memory returns the bytes of the chunks in use.
func (w *WAL) Memory() int64 { return w.pool.out.Load() }

// MaxMemory returns how many they may be before WaitRoom blocks.
func (w *WAL) MaxMemory() int64 { return w.opt.MaxMemory }

// ReleaseIdle gives up the memory that is kept for groups to come. It may be called
// at any time.
func (w *WAL) ReleaseIdle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open == nil && w.cur != nil {
		w.cur.release()
		w.cur = nil
	}
	w.pool.drop()
}

// Live returns the bytes written and not freed.
func (w *WAL) Live() int64 { return w.live.Load() }

// Growth returns how much more of the disk the log may soon take, in bytes: the
// size of the next file, unless there are as many as there may be.
func (w *WAL) Growth() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.files.count >= w.opt.MaxFiles {
		return 0
	}
	return w.opt.FileSize
}

// Free says that everything up to p is durable elsewhere: files that hold
// nothing newer are used again.
func (w *WAL) Free(p Pos) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files.free(p)
	w.fillIdle()
	w.live.Store(w.files.live())
	// Whether the disk still is full is found out by making the next file.
	w.full = nil
	w.room.Broadcast()
	w.work.Broadcast()
}

// LookAgain has those who wait for room look again: memory was let go of in
// another way than by a checkpoint that ends with Free.
func (w *WAL) LookAgain() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.room.Broadcast()
}

// Fail ends the log as a failed flush does: for files beside it whose sync has
// failed, so that nobody relies on what they should hold.
func (w *WAL) Fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail(err)
}

// fail is called with mu held. The first failure stays.
func (w *WAL) fail(err error) {
	if w.err == nil {
		w.err = fmt.Errorf("write-ahead log has failed, nothing more is written until a restart: %w", err)
		w.opt.Logger.Error("write-ahead log failed", "err", err)
	}
	w.room.Broadcast()
}

// Close flushes what is queued and stops the flusher. It returns the log's
// failure, if it has failed.
func (w *WAL) Close() error {
	w.mu.Lock()
	w.closed = true
	w.work.Broadcast()
	w.room.Broadcast()
	w.mu.Unlock()
	w.finished.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.files.preparing {
		w.room.Wait() // it writes into a directory that may soon be another's
	}
	return errors.Join(w.err, w.files.close())
}
