package plog

import (
	"context"
	"flag"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

var (
	exploreDepth = flag.Int("explore.depth", 2, "how many operations long the sequences of TestExplore are")
	exploreTwice = flag.Int("explore.twice", 1, "up to what length of its sequences TestExplore crashes a second time, in the recovery")
	exploreFull  = flag.Int("explore.full", 5, "up to how many unsynced changes TestExplore tries every subset of")
)

const exploreProducer = 7

// operation is a letter of the alphabet. It answers false when it would do
// nothing here: then the sequence is not a new one.
type operation struct {
	name string
	run  func(w *world) bool
}

var operations = []operation{
	{"small to A", func(w *world) bool { return w.append("A", smallBatch, nil) }},
	{"small to B", func(w *world) bool { return w.append("B", smallBatch, nil) }},
	{"large to A", func(w *world) bool { return w.append("A", largeBatch, nil) }},
	{"idempotent to A", (*world).idempotent},
	{"repeat of it", (*world).repeat},
	{"one unit to A and B", (*world).both},
	{"many at once", (*world).burst},
	{"delete A and make it anew", (*world).recreate},
	{"move the start of A", (*world).trim},
	{"checkpoint", (*world).checkpoint},
	{"compact A", (*world).compact},
	{"stop and start", (*world).restart},
	{"lose power and start", (*world).losePower},
}

// idempotent appends the next batch of the idempotent producer.
func (w *world) idempotent() bool {
	seq := int32(0)
	if sent := w.now()["A"].sent; len(sent) > 0 {
		seq = sent[len(sent)-1].seq + 1
	}
	return w.append("A", smallBatch, &kafka.ProducerSpec{ID: exploreProducer, Sequence: seq})
}

// repeat sends the newest idempotent batch again; one out of order, alone and in
// a unit with a large one, is refused.
func (w *world) repeat() bool {
	sent := w.now()["A"].sent
	if len(sent) == 0 {
		return false
	}
	last := sent[len(sent)-1]
	_, op := w.appending(w.now(), "A", smallBatch, &kafka.ProducerSpec{ID: exploreProducer, Sequence: last.seq})
	if rs := w.submit(w.now(), op); rs != nil && (!rs[0].Duplicate || rs[0].Base != last.base) {
		w.failf("a repeat of the batch at %d is answered with %+v", last.base, rs[0])
	}
	_, op = w.appending(w.now(), "A", smallBatch, &kafka.ProducerSpec{ID: exploreProducer, Sequence: last.seq + 2})
	_, large := w.appending(w.now(), "A", largeBatch, nil)
	for _, ops := range [][]Op{{op}, {large, op}} {
		if _, _, err := w.s.Submit(ops...); err == nil {
			w.failf("sequence %d was taken after %d", last.seq+2, last.seq)
		}
	}
	return true
}

// both appends to A, straight to its segment, and to B in one unit.
func (w *world) both() bool {
	next, a := w.appending(w.now(), "A", largeBatch, nil)
	next, b := w.appending(next, "B", smallBatch, nil)
	w.submit(next, a, b)
	return true
}

// burst asks for more while a flush runs: what gathers meanwhile goes out as
// several groups in one write, with a large batch among them.
func (w *world) burst() bool {
	return w.while(func() bool { return w.append("B", smallBatch, nil) }, func() {
		w.append("A", mediumBatch, nil)
		w.append("B", mediumBatch, nil)
		w.append("A", largeBatch, nil)
	})
}

// recreate deletes A and makes another of that name before that is durable.
func (w *world) recreate() bool {
	a := w.now()["A"]
	next := maps.Clone(w.now())
	delete(next, "A")
	return w.while(func() bool { return w.submit(next, Delete(w.log("A"))) != nil }, func() { w.create("A", a.life+1) })
}

// trim moves the log start to one before the end: all complete segments go.
func (w *world) trim() bool {
	a := w.now()["A"]
	to := int64(len(a.values)) - 1
	if to <= a.start {
		return false
	}
	w.submit(w.now().with("A", func(a *account) { a.start = to }), SetStart(w.log("A"), to))
	return true
}

func (w *world) checkpoint() bool {
	if err := w.s.Checkpoint(); err != nil {
		w.failf("checkpoint: %v", err)
	}
	return true
}

func (w *world) compact() bool {
	l := w.log("A")
	c := l.cleanable(w.s.opt.Now().UnixMilli())
	if c.dirty == 0 {
		return false
	}
	// From here on what is superseded may be gone, or not.
	w.mu.Lock()
	w.chain = []ledger{w.now().with("A", func(a *account) { a.cleaned = c.to })}
	w.mu.Unlock()
	if _, err := w.s.Compact(context.Background(), l); err != nil {
		w.failf("compact: %v", err)
	}
	return true
}

func (w *world) restart() bool {
	if err := w.s.Close(); err != nil {
		w.failf("close: %v", err)
	}
	w.open()
	return true
}

func (w *world) losePower() bool {
	mem := w.mem.Crash(vfs.KeepNone, 0)
	w.s.Abandon()
	w.mu.Lock()
	w.mem = mem
	w.mu.Unlock()
	w.open()
	return true
}

// root is where sequences begin.
type root struct {
	name  string
	build func(w *world)
}

var roots = []root{
	{"new logs", (*world).twoLogs},
	// A has complete segments with something to compact, and a large batch behind
	// the checkpoint; the write-ahead log goes on in a file that was used before.
	{"old logs", func(w *world) {
		w.twoLogs()
		w.appendEach("A", mediumBatch, 9)
		w.checkpoint()
		w.appendEach("B", smallBatch, 4)
		w.checkpoint()
		w.appendEach("A", largeBatch, 1)
	}},
	// A recovery has just been; there is room for a large batch in A's segment.
	{"after a recovery", func(w *world) {
		w.twoLogs()
		w.appendEach("A", largeBatch, 1)
		w.appendEach("B", smallBatch, 1)
		w.losePower()
		w.appendEach("A", smallBatch, 1)
	}},
}

func (w *world) twoLogs() {
	w.open()
	for _, name := range []string{"A", "B"} {
		w.create(name, 0)
		w.settle()
	}
}

func (w *world) appendEach(name string, size, times int) {
	for range times {
		w.append(name, size, nil)
		w.settle()
	}
}

// explorer is one search.
type explorer struct {
	mistake mistake
	full    int // see disks
	twice   int // up to what length of the sequence a second crash is tried in the recovery
	levels  int // crashes upon crashes, now

	disks                      map[disk]*found
	windows                    map[string]int
	sequences, crashes, opened int

	mu      sync.Mutex // the store's goroutines find things, too
	finding string
}

func newExplorer(m mistake) *explorer {
	return &explorer{mistake: m, full: *exploreFull, twice: *exploreTwice, disks: map[disk]*found{}, windows: map[string]int{}}
}

// fail notes the first thing that is wrong; the search ends then.
func (x *explorer) fail(finding string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.finding == "" {
		x.finding = finding
	}
}

func (x *explorer) failed() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.finding != ""
}

func (x *explorer) saw(window string) { x.windows[window]++ }

// search runs all sequences of up to depth operations from the root that begin
// with the given ones, and crashes during the last operation of each.
func (x *explorer) search(r root, from []int, depth int) {
	if !x.sequence(r, from) || x.failed() || len(from) >= depth {
		return
	}
	for next := range operations {
		if !commutes(from, next) {
			x.search(r, append(slices.Clone(from), next), depth)
		}
	}
}

// commutes says that the last operation and next are simple appends to
// different logs in the order that is not the alphabet's: the other order is
// explored, and only the numbers of their groups would differ.
func commutes(from []int, next int) bool {
	const smallToA, smallToB = 0, 1
	return len(from) > 0 && from[len(from)-1] == smallToB && next == smallToA
}

// sequence runs one sequence; false when its last operation would do nothing.
func (x *explorer) sequence(r root, ops []int) bool {
	w := newWorld(x)
	w.path = []string{r.name}
	w.took = len(ops) == 0
	r.build(w)
	defer func() {
		if w.s != nil {
			w.s.Abandon()
		}
	}()
	for i, op := range ops {
		w.mu.Lock()
		w.path = append(w.path, operations[op].name)
		w.took = i == len(ops)-1
		if x.levels = 2; len(ops) > x.twice {
			x.levels = 1
		}
		w.mu.Unlock()
		before := w.mem
		if x.failed() || !operations[op].run(w) {
			return false
		}
		w.settle()
		if w.took && w.steps == 0 && w.mem == before && len(w.path) > 2 {
			return false // it changed nothing: whatever follows was explored without it
		}
	}
	x.sequences++
	return true
}

// TestExplore runs every sequence of operations up to a length on a small store,
// loses power at every change of the disk that the last operation of each makes,
// in every way, and again at every change that the recovery makes, and compares
// what comes back with an exact account. It fails, too, when one of the windows
// was never met that crashes must be tried in.
//
// go test -run TestExplore -explore.depth 3 -v tells what it went through.
func TestExplore(t *testing.T) {
	var mu sync.Mutex
	sum := newExplorer(mistake{})
	part := func(t *testing.T, run func(x *explorer)) {
		x := newExplorer(mistake{})
		run(x)
		if x.failed() {
			t.Fatal(x.finding)
		}
		mu.Lock()
		defer mu.Unlock()
		for w, n := range x.windows {
			sum.windows[w] += n
		}
		sum.sequences += x.sequences
		sum.crashes += x.crashes
		sum.opened += x.opened
	}
	t.Run("from", func(t *testing.T) {
		for _, r := range roots {
			t.Run(r.name, func(t *testing.T) {
				t.Parallel()
				part(t, func(x *explorer) { x.sequence(r, nil) })
			})
			for first := range operations {
				t.Run(r.name+"/"+operations[first].name, func(t *testing.T) {
					t.Parallel()
					part(t, func(x *explorer) { x.search(r, []int{first}, *exploreDepth) })
				})
			}
		}
	})
	if t.Failed() {
		return
	}
	t.Logf("%d sequences of up to %d operations from each of %d beginnings, %d crashes, %d different disks recovered",
		sum.sequences, *exploreDepth, len(roots), sum.crashes, sum.opened)
	for _, w := range slices.Sorted(maps.Keys(sum.windows)) {
		t.Logf("%7d times: %s", sum.windows[w], w)
	}
	for what, window := range mustMeet {
		met := 0
		for w, n := range sum.windows {
			if ok, err := path.Match(window, w); err != nil {
				t.Fatal(err)
			} else if ok {
				met += n
			}
		}
		if met == 0 {
			t.Errorf("never met: %s (%s)", what, window)
		}
	}
}

// mustMeet are the windows in which crashes must have been tried.
var mustMeet = map[string]string{
	"a group written, not synced":                                "small to A; before: sync wal file",
	"a group synced, nobody told":                                "small to A; synced, not acknowledged",
	"several groups in one write, not synced":                    "many at once; before: sync wal file",
	"a large batch written, its segment not synced":              "large to A; before: sync segment",
	"a segment made for a large batch, its directory not synced": "large to A; before: sync log directory",
	"a log's first directory made, not synced":                   "large to A; before: sync topic directory",
	"a large batch written and refused, its segment not cut":     "repeat of it; before: cut segment",
	"a file of the write-ahead log made, not synced":             "new logs; before: sync wal directory",
	"a file of the write-ahead log used again":                   "*; before: write wal file that was used before",
	"no room in the write-ahead log":                             "refused, no room",
	"tails in their segments, not synced":                        "checkpoint; before: sync segment",
	"segments synced, their names not":                           "checkpoint; before: sync log directory",
	"index entries written, not synced":                          "checkpoint; before: sync index",
	"a new checkpoint written, not synced":                       "checkpoint; before: sync checkpoint",
	"a new checkpoint synced, not renamed":                       "checkpoint; before: rename checkpoint",
	"a new checkpoint renamed, the directory not synced":         "checkpoint; before: sync data directory",
	"the last checkpoint of a clean stop":                        "stop and start; before: sync data directory",
	"a log start durable, its segment not unlinked":              "move the start of A; before: remove segment",
	"segments unlinked, the directory not synced":                "move the start of A; before: sync log directory",
	"a deletion durable, the directory still there":              "delete A and make it anew; before: remove log directory",
	"a directory half removed":                                   "delete A and make it anew; before: sync logs directory",
	"a compacted segment written, not synced":                    "compact A; before: sync compacted segment",
	"a compacted segment synced, its name not":                   "compact A; before: sync log directory",
	"segments swapped, the checkpoint not renamed":               "compact A; before: rename checkpoint",
	"segments swapped, the old ones not unlinked":                "compact A; before: remove segment",
	"in recovery: tails written anew, not synced":                "recovery; before: sync segment",
	"in recovery: the new checkpoint not renamed":                "recovery; before: rename checkpoint",
	"in recovery: the new checkpoint renamed, not synced":        "recovery; before: sync data directory",
	"in recovery: a half-written large batch to be cut off":      "recovery; before: cut segment",
	"in recovery: a segment that nobody refers to":               "recovery; before: remove segment",
	"in recovery: a compacted segment that nobody refers to":     "recovery; before: remove compacted segment",
	"in recovery: a directory that nobody refers to":             "recovery; before: remove topic directory",
}

// mistake is a disk that does not do what it is asked for: a store that leaves
// something out.
type mistake struct {
	name string
	sync string // whose Sync does nothing: the end of the file's name
	dirs bool   // SyncDir does nothing
}

func (m mistake) over(fs vfs.FS) vfs.FS {
	if m.name == "" {
		return fs
	}
	return forgetful{fs, m}
}

type forgetful struct {
	vfs.FS
	mistake mistake
}

func (f forgetful) SyncDir(name string) error {
	if f.mistake.dirs {
		return nil
	}
	return f.FS.SyncDir(name)
}

func (f forgetful) Create(name string) (vfs.File, error) { return f.file(f.FS.Create, name) }
func (f forgetful) Open(name string) (vfs.File, error)   { return f.file(f.FS.Open, name) }

func (f forgetful) file(open func(string) (vfs.File, error), name string) (vfs.File, error) {
	file, err := open(name)
	if err == nil && f.mistake.sync != "" && strings.HasSuffix(name, f.mistake.sync) {
		return forgetfulFile{file}, nil
	}
	return file, err
}

type forgetfulFile struct{ vfs.File }

func (forgetfulFile) Sync() error { return nil }

// TestExploreBites shows that the search finds what it is for.
func TestExploreBites(t *testing.T) {
	for _, m := range []mistake{
		{name: "the write-ahead log is not synced", sync: ".wal"},
		{name: "segments are not synced", sync: ".log"},
		{name: "a new checkpoint is not synced", sync: "checkpoint.tmp"},
		{name: "indexes are not synced", sync: "index"},
		{name: "directories are not synced", dirs: true},
	} {
		t.Run(m.name, func(t *testing.T) {
			x := newExplorer(m)
			for _, r := range roots {
				x.search(r, nil, 2)
			}
			if !x.failed() {
				t.Fatal("nobody noticed")
			}
			t.Logf("%.400s", x.finding)
		})
	}
}
