//go:build sim

package sim

import (
	"errors"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"

	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/vfs"
)

// disk is a life's file system: each operation is a point at which another
// goroutine may go on, may take its time, may fail, and may be the last.
type disk struct {
	*vfs.Faulty
	mem     *vfs.Mem
	rules   []*vfs.Rule
	slow    int // of a hundred syncs, how many take a while
	changes int // operations that changed something
	cutAt   int // the life ends before this one; 0: by itself
	cut     func()
}

func newDisk(mem *vfs.Mem, rng *rand.Rand) *disk {
	d := &disk{Faulty: vfs.NewFaulty(mem), mem: mem, slow: []int{0, 20, 70}[rng.IntN(3)]}
	d.Trace(^vfs.Op(0))
	d.Hook(d.before)
	return d
}

// before runs before each operation, on its task.
func (d *disk) before(op vfs.Op, name string) {
	var took time.Duration
	if op&(vfs.OpSync|vfs.OpSyncDir|vfs.OpSyncAll) != 0 && sched.Draw(100) < d.slow {
		took = time.Duration(50+sched.Draw(10_000)) * time.Microsecond
	}
	sched.Point(took)
	if op&vfs.OpChange == 0 {
		return
	}
	if d.changes++; d.changes == d.cutAt {
		d.cut()
	}
}

// fail has some operation fail, as the seed draws. It reports what.
func (d *disk) fail(rng *rand.Rand) string {
	r := vfs.Rule{Err: syscall.EIO, Times: 1, After: rng.IntN(1 << rng.IntN(9))}
	switch rng.IntN(7) {
	case 0:
		r.Op, r.Name = vfs.OpSync, "*.wal"
	case 1:
		r.Op, r.Name = vfs.OpSync, []string{"*.log", "*index", "*.tmp"}[rng.IntN(3)]
	case 2:
		r.Op = vfs.OpSyncDir
	case 3:
		r.Op, r.Written = vfs.OpWrite, rng.IntN(4096)
	case 4:
		r.Op, r.After = vfs.OpRead, rng.IntN(50)
	case 5:
		r.Op, r.After = vfs.OpSyncAll, rng.IntN(4)
	case 6:
		r.Op = []vfs.Op{vfs.OpCreate, vfs.OpRename, vfs.OpRemove, vfs.OpTruncate, vfs.OpAllocate, vfs.OpMkdir, vfs.OpOpen}[rng.IntN(7)]
	}
	if r.Op != vfs.OpRead && rng.IntN(4) == 0 {
		r.Err, r.Times = vfs.ErrNoSpace, 1+rng.IntN(3)
	}
	d.rules = append(d.rules, d.Add(r))
	return r.Err.Error()
}

// hit reports whether anything has failed that was to fail.
func (d *disk) hit() bool {
	for _, r := range d.rules {
		if d.Hits(r) > 0 {
			return true
		}
	}
	return false
}

// isFault tells whether an error may come of a disk that was told to fail.
func isFault(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, vfs.ErrNoSpace) || strings.Contains(err.Error(), "no space")
}
