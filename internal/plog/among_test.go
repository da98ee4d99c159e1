package plog

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// Each number comes once, few and many; after an error no further call begins, and it
// is told.
func TestAmong(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, manyLogs - 1, manyLogs, 10 * manyLogs} {
		calls := make([]atomic.Int32, n)
		if err := among(n, func(w, i int) error {
			if w < 0 || w >= workers {
				t.Errorf("worker %d", w)
			}
			calls[i].Add(1)
			return nil
		}); err != nil {
			t.Error(err)
		}
		for i := range calls {
			if c := calls[i].Load(); c != 1 {
				t.Errorf("%d of %d: %d calls", i, n, c)
			}
		}
	}
	bad := errors.New("bad")
	for _, n := range []int{manyLogs - 1, 1000 * manyLogs} {
		var calls atomic.Int64
		err := among(n, func(_, i int) error {
			calls.Add(1)
			if i >= 10 {
				return bad
			}
			return nil
		})
		// Each worker may have one call under way when the first one fails.
		if !errors.Is(err, bad) || calls.Load() > 10+workers {
			t.Errorf("%d: %v after %d calls", n, err, calls.Load())
		}
	}
}

// So many logs that several goroutines recover them, with fewer files open than there
// are goroutines: all of them have what was acknowledged, and have it after another
// crash that keeps nothing which was not synced. What no log refers to is gone.
func TestRecoveryOfManyLogs(t *testing.T) {
	t.Parallel()
	const logs = 3 * manyLogs
	for _, epoch := range []int32{1, 2} { // synced one by one; together
		mem := vfs.NewMem()
		s, _ := openStore(t, mem, epoch)
		var ops []Op
		for i := range logs {
			ops = append(ops, Create(testID(i), "topic", DefaultConfig()))
		}
		made := mustSubmit(t, s, ops...)
		for round := range 3 {
			ops = nil
			for i, r := range made {
				ops = append(ops, Append(r.Log, batchOf(1, fmt.Sprintf("%d of %d ", round, i)+strings.Repeat("v", 400))))
			}
			mustSubmit(t, s, ops...)
		}
		leftover := path.Join(made[logs/2].Log.topicDir(), "9999")
		dir := made[7].Log.dir()
		s.Abandon()
		if err := errors.Join(mem.MkdirAll(leftover), mem.MkdirAll(dir)); err != nil {
			t.Fatal(err)
		}
		stray, err := mem.Create(path.Join(dir, "stray"))
		if err := errors.Join(err, stray.Close()); err != nil {
			t.Fatal(err)
		}
		for life := range 2 {
			if life > 0 {
				mem = mem.Crash(vfs.KeepNone, uint64(life))
			}
			s, report := openStore(t, mem, epoch+2*int32(life+1)) // even stays even
			if life == 0 && report.Batches != 3*logs || len(report.Fenced) > 0 {
				t.Errorf("%d batches, fenced %v", report.Batches, report.Fenced)
			}
			for i := range logs {
				l := s.Log(testID(i))
				var want []string
				for round := range 3 {
					want = append(want, fmt.Sprintf("%d=%d of %d ", round, round, i)+strings.Repeat("v", 400))
				}
				if got := values(t, l, 1<<20); !slices.Equal(got, want) {
					t.Fatalf("life %d, log %d: %d values", life, i, len(got))
				}
			}
			for _, gone := range []string{leftover, path.Join(dir, "stray")} {
				if _, err := mem.Stat(gone); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %v", gone, err)
				}
			}
			s.Abandon()
		}
	}
}
