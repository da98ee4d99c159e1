package plog

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// diskAt is what a crash left, and what had been acknowledged by then.
type diskAt struct {
	step  string
	fs    *vfs.Mem
	acked map[int]int // log -> records
	gone  map[int]bool
}

// stepConfig is how the logs of TestCrashAtEveryStep are configured. The index
// interval is the default, which is what recovery takes.
func stepConfig() Config {
	cfg := DefaultConfig()
	cfg.SegmentBytes = 12000
	return cfg
}

// Power is lost or the process killed before every single change that appends
// (large ones, too), checkpoints, trims, deletions and a clean stop make to the
// disk; then again right after the recovery from it, and before every change
// that the recovery makes itself.
func TestCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	faulty := vfs.NewFaulty(mem)
	acked, gone := map[int]int{}, map[int]bool{}
	var mu sync.Mutex
	var disks []diskAt
	faulty.Hook(func(op vfs.Op, name string) {
		if op&vfs.OpChange == 0 {
			return
		}
		mu.Lock() // the flusher, the checkpointer, whoever makes the next file
		defer mu.Unlock()
		n := uint64(len(disks))
		for _, fs := range []*vfs.Mem{mem.Kill(), mem.Crash(vfs.KeepNone, n), mem.Crash(vfs.KeepSome, n)} {
			disks = append(disks, diskAt{fmt.Sprintf("%x %s", op, name), fs, cloneMap(acked), cloneMap(gone)})
		}
	})
	// One goroutine at a time works: it waits for each of its changes.
	s, _ := openStore(t, faulty, 1)
	logs := map[int]*Log{}
	add := func(n int, v string) {
		mustSubmit(t, s, Append(logs[n], batchOf(1, fmt.Sprint(n, "/", acked[n], " ", v))))
		mu.Lock()
		defer mu.Unlock()
		acked[n]++
	}
	for n := range 3 {
		logs[n] = mustSubmit(t, s, Create(testID(n), fmt.Sprint("t", n), stepConfig()))[0].Log
	}
	for i := range 8 {
		add(i%2, strings.Repeat("v", 3000*(i%3)))
	}
	checkpoint := func() {
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
	}
	checkpoint()
	add(0, strings.Repeat("L", 40<<10)) // straight to its segment
	add(2, strings.Repeat("L", 40<<10)) // the first of its log
	add(0, "after it")
	checkpoint()
	mustSubmit(t, s, SetStart(logs[0], 3))
	mu.Lock()
	gone[1] = true // from here on it may be
	mu.Unlock()
	mustSubmit(t, s, Delete(logs[1]))
	add(2, "b")
	checkpoint()
	add(2, "c")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	faulty.Hook(nil)
	disks = append(disks, diskAt{"the end", mem.Crash(vfs.KeepNone, 0), acked, gone})
	if len(disks) < 150 {
		t.Fatalf("only %d crashes", len(disks))
	}
	t.Logf("%d crashes", len(disks))
	for i, d := range disks {
		// A recovery that is cut short itself, at one of its changes.
		faulty := vfs.NewFaulty(d.fs)
		var again *vfs.Mem
		step := 0
		faulty.Hook(func(op vfs.Op, name string) {
			if op&vfs.OpChange != 0 {
				mu.Lock()
				defer mu.Unlock()
				if step++; step == 1+i%40 {
					again = d.fs.Crash(vfs.KeepSome, uint64(i))
				}
			}
		})
		s := d.check(t, faulty, 2)
		faulty.Hook(nil)
		mu.Lock()
		snapshot := again
		mu.Unlock()
		// What it served must be on the disk.
		after := diskAt{d.step + ", then recovered", d.fs.Crash(vfs.KeepNone, 0), ends(s), d.gone}
		s.Abandon()
		after.check(t, after.fs, 3).Abandon()
		if snapshot != nil {
			cut := diskAt{d.step + ", then cut short in the recovery", snapshot, d.acked, d.gone}
			cut.check(t, snapshot, 3).Abandon()
		}
	}
}

func ends(s *Store) map[int]int {
	m := map[int]int{}
	for n := range 3 {
		if l := s.Log(testID(n)); l != nil {
			m[n] = int(l.HighWatermark())
		}
	}
	return m
}

func cloneMap[V any](m map[int]V) map[int]V {
	out := map[int]V{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// check opens the disk and compares it with what was acknowledged.
func (d *diskAt) check(t *testing.T, fs vfs.FS, epoch int32) *Store {
	t.Helper()
	s, r, err := Open(testOptions(fs, epoch))
	if err != nil {
		t.Fatalf("%s: open: %v", d.step, err)
	}
	if len(r.Fenced) != 0 || r.Kept != "" {
		t.Fatalf("%s: taken for damage: %+v", d.step, r)
	}
	for n, want := range d.acked {
		l := s.Log(testID(n))
		if l == nil {
			if !d.gone[n] {
				t.Fatalf("%s: log %d is gone", d.step, n)
			}
			continue
		}
		got := values(t, l, 1<<20)
		if hw := int(l.HighWatermark()); hw < want {
			t.Fatalf("%s: log %d ends at %d, %d were acknowledged", d.step, n, hw, want)
		}
		for i, v := range got {
			at := int(l.Start()) + i
			if !strings.HasPrefix(v, fmt.Sprintf("%d=%d/%d ", at, n, at)) {
				t.Fatalf("%s: log %d holds %.40q at %d", d.step, n, v, at)
			}
		}
		checkIndexes(t, l)
	}
	return s
}

// checkIndexes compares the log's indexes with what its batches ask for.
func checkIndexes(t *testing.T, l *Log) {
	t.Helper()
	for _, seg := range l.segs {
		if seg.size != seg.end {
			continue // part of it is in the tail: the indexes are not complete
		}
		offsets, times := wantIndexes(t, l, seg)
		for suffix, want := range map[string][]byte{indexSuffix: offsets, timeSuffix: times} {
			var got []byte
			if len(want) > 0 || seg.index+seg.times > 0 {
				var err error
				if got, err = vfs.ReadFile(l.store.opt.FS, seg.file(l.dir(), suffix)); err != nil && !isNotExist(err) {
					t.Fatal(err)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s of %s:\n got %x\nwant %x", suffix, seg.file("", ""), got, want)
			}
		}
	}
}
