package plog

import (
	"bytes"
	"path"
	"reflect"
	"strings"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// A repair that loses an end, or a beginning, leaves what the rest of the log says: a
// transaction whose end is lost is open again, and can be ended; the indexes are those
// of a walk.
func TestRepairOfTransactions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		lost   int // which batch is damaged
		how    Repair
		stable int64
		seen   []string // after what is open has been committed
		open   []int64
	}{
		{"the end of the second, keep", 4, RepairKeep, 3, []string{"2=plain", "3=second", "5=third"}, []int64{2}},
		{"the end of the second, cut", 4, RepairCut, 3, []string{"2=plain", "3=second"}, []int64{2}},
		{"the beginning of the first, keep", 0, RepairKeep, 7, []string{"2=plain", "3=second", "5=third"}, nil},
	} {
		mem := vfs.NewMem()
		s, _ := openStore(t, mem, 1)
		l := createLog(t, s, 0)
		if err := s.EnableTransactions(); err != nil {
			t.Fatal(err)
		}
		at := []uint32{}
		add := func(op Op) {
			at = append(at, uint32(l.Size()))
			mustSubmit(t, s, op)
		}
		add(Begins(Append(l, transactional(1, 0, 0, "first"))))  // 0: aborted
		add(Mark(l, marker(1, 0, false), 1))                     // 1
		add(Append(l, batchOf(1, "plain")))                      // 2
		add(Begins(Append(l, transactional(2, 0, 0, "second")))) // 3: committed
		add(Mark(l, marker(2, 0, true), 1))                      // 4
		add(Begins(Append(l, transactional(3, 0, 0, "third"))))  // 5: committed
		add(Mark(l, marker(3, 0, true), 1))                      // 6
		file := path.Join(l.dir(), strings.Repeat("0", 20)+".log")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		f, err := mem.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, 4), int64(at[c.lost])+62); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		f.Close()
		s, _ = openStore(t, mem, 2)
		if _, err := s.Repair(t.Context(), mustDiagnose(t, s, 0), c.how); err != nil {
			t.Fatal(c.name, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s, _ = openStore(t, mem, 3)
		l = s.Log(testID(0))
		if ch := mustCheck(t, l); !ch.OK() {
			t.Errorf("%s: not whole after the repair: %+v", c.name, ch)
		}
		if l.LastStable() != c.stable {
			t.Errorf("%s: stable %d, want %d", c.name, l.LastStable(), c.stable)
		}
		for _, pid := range c.open {
			mustSubmit(t, s, Mark(l, marker(pid, 0, true), 1))
		}
		if got := committed(t, l, 1<<20); !reflect.DeepEqual(got, c.seen) || l.LastStable() != l.HighWatermark() {
			t.Errorf("%s: %v, want %v; stable %d", c.name, got, c.seen, l.LastStable())
		}
		s.Abandon()
	}
}
