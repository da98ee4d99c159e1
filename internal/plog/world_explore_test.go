package plog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
	"github.com/leatdev/leat/internal/wal"
)

// account is what one log holds.
type account struct {
	life    int // ids are never used again: how often the log was made
	start   int64
	values  []string // by offset; never changed, only appended to a copy
	sent    []sentSeq
	cleaned int64 // below it compaction may have taken what is superseded
}

// sentSeq is a batch of the one idempotent producer.
type sentSeq struct {
	seq  int32
	base int64
}

// ledger is what the store holds: logs by name.
type ledger map[string]account

func (l ledger) with(name string, change func(a *account)) ledger {
	out := maps.Clone(l)
	a := out[name]
	change(&a)
	out[name] = a
	return out
}

func exploreID(name string, life int) (id ID) {
	id.Topic[0], id.Topic[1], id.Topic[15] = 7, name[0], byte(life)
	return id
}

// exploreConfig is how the log is configured: two large batches fill a segment;
// the index interval is the one that recovery takes. A is compacted.
func exploreConfig(name string) Config {
	cfg := DefaultConfig()
	cfg.SegmentBytes = 9500
	if name == "A" {
		cfg.Delete, cfg.Compact = false, true
	}
	return cfg
}

// What is appended: a small batch, one of which two do not fit into one group of
// the write-ahead log, and one that goes straight to its segment and lies on
// more than one page.
const (
	smallBatch  = 10
	mediumBatch = 2200
	largeBatch  = 4500
)

func exploreOptions(fs vfs.FS, epoch int32) Options {
	opt := testOptions(fs, epoch)
	opt.WALFileSize, opt.WALFiles, opt.DirectBytes = 32<<10, 2, 3000
	opt.Now = func() time.Time { return time.UnixMilli(1_700_000_000_000) }
	return opt
}

// world is a store at work, with the account of what it was asked and has told.
type world struct {
	x     *explorer
	mem   *vfs.Mem
	disk  *vfs.Faulty
	s     *Store
	epoch int32
	path  []string // the operations, the last is under way

	mu     sync.Mutex
	chain  []ledger // before the operation, and after each unit of it
	told   int      // of chain: what the store has acknowledged, at least
	took   bool     // crashes are looked at
	steps  int      // changes of the disk since crashes are looked at
	wal    string   // the file of the write-ahead log that was written last
	held   chan struct{}
	holds  bool
	making bool // the second file of the write-ahead log is still to come
}

// now is what the store holds, with all that was asked of it.
func (w *world) now() ledger { return w.chain[len(w.chain)-1] }

func (w *world) log(name string) *Log { return w.s.Log(exploreID(name, w.now()[name].life)) }

func (w *world) failf(format string, args ...any) {
	w.x.fail(fmt.Sprintf("after %s: ", strings.Join(w.path, ", ")) + fmt.Sprintf(format, args...))
}

func newWorld(x *explorer) *world {
	w := &world{x: x, mem: vfs.NewMem(), chain: []ledger{{}}}
	w.path = []string{"nothing"}
	return w
}

// open starts the store on the world's disk.
func (w *world) open() {
	w.epoch++
	w.disk = vfs.NewFaulty(w.x.mistake.over(w.mem))
	w.disk.Hook(w.before)
	s, r, err := Open(exploreOptions(w.disk, w.epoch))
	if err != nil {
		w.failf("open: %v", err)
		return
	}
	if len(r.Fenced) > 0 || r.Kept != "" {
		w.failf("taken for damage: %+v", r)
	}
	w.s = s
	for name, a := range w.now() {
		if l := s.Log(exploreID(name, a.life)); l != nil {
			l.SetConfig(exploreConfig(name))
		} else {
			w.failf("log %s is gone", name)
		}
	}
	s.tidy() // what the checkpointer would do some time
	files, err := w.mem.List(s.walDir())
	if w.making = len(files) < 2; err != nil {
		w.failf("%v", err)
	}
	w.disk.Trace(vfs.OpSyncDir)
}

// before runs before each operation on the disk.
func (w *world) before(op vfs.Op, name string) {
	if op&vfs.OpChange == 0 {
		return
	}
	w.mu.Lock()
	if w.took {
		w.steps++
	}
	window := doing(op, name)
	if op == vfs.OpWrite && strings.HasSuffix(name, ".wal") {
		if name != w.wal && w.wal != "" && w.used(name) {
			window = "write wal file that was used before"
		}
		w.wal = name
	}
	if w.took {
		w.x.saw(w.path[len(w.path)-1] + "; before: " + window)
	}
	if op&shrinks != 0 {
		w.crash("before: " + window)
	}
	hold := w.holds && op == vfs.OpWrite && strings.HasSuffix(name, ".wal")
	if hold {
		w.holds = false
	}
	held := w.held
	w.mu.Unlock()
	if hold {
		held <- struct{}{}
		<-held
	}
}

// used says whether a file of the write-ahead log holds groups.
func (w *world) used(name string) bool {
	b, err := vfs.ReadFile(w.mem, name)
	return err == nil && len(b) > 4 && string(b[:4]) == "LWG1"
}

// crash has every disk that a crash at this moment may leave looked at. mu is
// held.
func (w *world) crash(window string) {
	if !w.took {
		return
	}
	for w.told < len(w.chain)-1 && w.visible(w.chain[w.told+1]) {
		w.told++ // not answered yet, but shown: nobody may take it back
	}
	allowed := w.chain[w.told:]
	for disk := range disks(w.mem, w.x.full, true) {
		w.x.crashes++
		got := w.x.recovered(disk, w.epoch+1, 1, w.path, window)
		if got == nil {
			return // told already
		}
		if why := got.is(allowed); why != "" {
			w.failf("crash %s: %s", window, why)
			return
		}
	}
}

// visible says whether a reader sees what makes l differ from what was told.
func (w *world) visible(l ledger) bool {
	seen := false
	for name, a := range l {
		old, had := w.chain[w.told][name]
		log := w.s.Log(exploreID(name, a.life))
		switch {
		case had && old.life == a.life && log != nil:
			if len(a.values) > len(old.values) {
				if log.HighWatermark() < int64(len(a.values)) {
					return false
				}
				seen = true
			}
			if a.start > old.start {
				if log.Start() < a.start {
					return false
				}
				seen = true
			}
		case had && old.life != a.life:
			if w.s.Log(exploreID(name, old.life)) != nil {
				return false
			}
			seen = true
		}
	}
	for name, old := range w.chain[w.told] {
		if _, has := l[name]; !has {
			if w.s.Log(exploreID(name, old.life)) != nil {
				return false
			}
			seen = true
		}
	}
	return seen
}

// submit asks for one unit, which turns what there is into next. nil when there
// was no room for it: then nothing may have happened.
func (w *world) submit(next ledger, ops ...Op) []Result {
	if w.x.failed() {
		return nil
	}
	w.mu.Lock()
	w.chain = append(w.chain, next)
	mine := len(w.chain) - 1
	w.mu.Unlock()
	rs, pos, err := w.s.Submit(ops...)
	if errors.Is(err, wal.ErrFull) {
		w.mu.Lock()
		w.chain = w.chain[:mine]
		w.mu.Unlock()
		w.x.saw("refused, no room")
		return nil
	}
	if err != nil {
		w.failf("submit: %v", err)
		return nil
	}
	w.s.WhenDurable(pos, func(err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if err != nil {
			w.failf("unit %d: %v", mine, err)
			return
		}
		if w.took {
			w.x.saw(w.path[len(w.path)-1] + "; synced, not acknowledged")
		}
		w.crash("synced, not acknowledged")
		w.told = max(w.told, mine)
	})
	return rs
}

// settle waits until all that was asked for is done, and nothing runs any more.
func (w *world) settle() {
	if w.x.failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	last := w.s.wal.Last()
	if err := w.s.Wait(ctx, last); err != nil {
		w.failf("wait: %v", err)
		return
	}
	// The flusher notes what is durable after it has told everybody.
	for w.s.wal.Durable() < last && ctx.Err() == nil {
		runtime.Gosched()
	}
	for w.making && ctx.Err() == nil {
		runtime.Gosched()
		w.making = !slices.Contains(w.disk.Lines(), "syncdir "+w.s.walDir())
	}
	w.s.tidy()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.told != len(w.chain)-1 {
		w.failf("%d of %d units were acknowledged", w.told, len(w.chain)-1)
	}
	w.chain, w.told = w.chain[len(w.chain)-1:], 0
	w.crash("all is done")
}

// value is what a log holds at an offset; every second record has the same key.
func value(name string, life int, offset int64, size int) string {
	v := fmt.Sprintf("%s%d/%d ", name, life, offset)
	return v + strings.Repeat("v", max(0, size-len(v)))
}

func keyAt(offset int64) string { return fmt.Sprint("k", offset%2) }

// appending is the append of one record, and what the store holds after it.
func (w *world) appending(to ledger, name string, size int, producer *kafka.ProducerSpec) (ledger, Op) {
	a := to[name]
	offset := int64(len(a.values))
	v := value(name, a.life, offset, size)
	b := kafka.Build(kafka.BatchSpec{Producer: producer}, []kafka.Record{{Timestamp: 1_600_000_000_000 + offset, Key: []byte(keyAt(offset)), Value: []byte(v)}})
	next := to.with(name, func(a *account) {
		a.values = append(slices.Clone(a.values), v)
		if producer != nil {
			a.sent = append(slices.Clone(a.sent), sentSeq{producer.Sequence, offset})
			a.sent = a.sent[max(0, len(a.sent)-rememberedBatches):]
		}
	})
	return next, Append(w.s.Log(exploreID(name, a.life)), b)
}

// append answers false when there was no room.
func (w *world) append(name string, size int, producer *kafka.ProducerSpec) bool {
	if w.x.failed() {
		return false
	}
	next, op := w.appending(w.now(), name, size, producer)
	return w.submit(next, op) != nil
}

// while has others ask for something while the flush of what first asks for is
// held at its write: what gathers goes out after it. False when there was no room
// for the first.
func (w *world) while(first func() bool, others func()) bool {
	held := make(chan struct{})
	w.mu.Lock()
	w.holds, w.held = true, held
	w.mu.Unlock()
	if !first() {
		w.mu.Lock()
		w.holds = false
		w.mu.Unlock()
		return false
	}
	<-held
	others()
	held <- struct{}{}
	return true
}

func (w *world) create(name string, life int) {
	next := w.now().with(name, func(a *account) { *a = account{life: life} })
	w.submit(next, Create(exploreID(name, life), name, exploreConfig(name)))
}
