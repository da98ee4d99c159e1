package plog

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

func mustDiagnose(t testing.TB, s *Store, n int) *Diagnosis {
	t.Helper()
	d, err := s.Diagnose(t.Context(), s.Log(testID(n)))
	if err != nil {
		t.Fatal(err)
	}
	if !d.Damaged() {
		t.Fatal("nothing was found wrong")
	}
	return d
}

// repaired repairs log 0, stops, looks at it after a restart, and appends.
func repaired(t *testing.T, fs vfs.FS, how Repair) (aside string, got []string, next int64) {
	t.Helper()
	s, _ := openStore(t, fs, 2)
	d := mustDiagnose(t, s, 0)
	aside, err := s.Repair(t.Context(), d, how, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, r := openStore(t, fs, 3)
	defer s.Close()
	if len(r.Fenced) != 0 {
		t.Errorf("the fence is back after a restart: %v", r.Fenced)
	}
	l := s.Log(testID(0))
	if c := mustCheck(t, l); !c.OK() {
		t.Errorf("not whole after the repair: %+v", c)
	}
	got = values(t, l, 1<<20)
	next = mustSubmit(t, s, Append(l, batchOf(5, "after")))[0].Base
	return aside, got, next
}

// A damaged write-ahead log: cut ends the log before the bad batch, keep brings back
// what was behind it.
func TestRepairOfAFencedLog(t *testing.T) {
	t.Parallel()
	for how, want := range map[Repair]struct {
		values []string
		next   int64
	}{
		RepairCut:  {[]string{"0=alpha-0"}, 1},
		RepairKeep: {[]string{"0=alpha-0", "2=alpha-2", "3=alpha-3"}, 4},
	} {
		fs := twoLogs(t)
		flip(t, fs, "alpha-1", 0)
		s, _ := openStore(t, fs, 1)
		d := mustDiagnose(t, s, 0)
		s.Close()
		if d.Cut != (Loss{End: 1, Offsets: 3, Readable: 2}) || d.Keep != (Loss{End: 4, Offsets: 1, Regained: 2}) || d.Fence == "" {
			t.Errorf("it costs %+v", d)
		}
		_, got, next := repaired(t, fs, how)
		if !slices.Equal(got, want.values) || next != want.next {
			t.Errorf("%s: %v, next %d; want %v", how, got, next, want)
		}
	}
}

// Damage in a segment: both ways leave what they say they leave, what was replaced
// is kept aside, and a producer may send again what was lost.
func TestRepairOfADamagedSegment(t *testing.T) {
	t.Parallel()
	all := func(from, to int) (out []string) {
		for i := from; i < to; i++ {
			out = append(out, fmt.Sprintf("%d=value-%02d", i, i))
		}
		return out
	}
	size := int64(len(sequenced(7, 0, 0, "value-00")))
	for _, c := range []struct {
		seg  int64
		at   int64
		how  Repair
		want []string
		next int64
		loss Loss
	}{
		{10, 3*size + 65, RepairCut, all(0, 13), 13, Loss{End: 13, Offsets: 17, Readable: 16, Bytes: 17 * size}},
		{10, 3*size + 65, RepairKeep, append(all(0, 13), all(14, 30)...), 30, Loss{End: 30, Offsets: 1, Bytes: size}},
		{0, 65, RepairCut, nil, 0, Loss{End: 0, Offsets: 30, Readable: 29, Bytes: 30 * size}},
		{0, 65, RepairKeep, all(1, 30), 30, Loss{End: 30, Offsets: 1, Bytes: size}},
		{20, 9*size + 65, RepairCut, all(0, 29), 29, Loss{End: 29, Offsets: 1, Bytes: size}},
		{20, 9*size + 65, RepairKeep, all(0, 29), 29, Loss{End: 29, Offsets: 1, Bytes: size}},
	} {
		fs := vfs.NewMem()
		threeSegments(t, fs)
		s, _ := openStore(t, fs, 1)
		file := fmt.Sprintf("%s/%020d.log", s.Log(testID(0)).dir(), c.seg)
		s.Close()
		flipByte(t, fs, file, c.at)
		damaged, err := vfs.ReadFile(fs, file)
		if err != nil {
			t.Fatal(err)
		}
		s, _ = openStore(t, fs, 2)
		d := mustDiagnose(t, s, 0)
		s.Close()
		if got := map[Repair]Loss{RepairCut: d.Cut, RepairKeep: d.Keep}[c.how]; got != c.loss {
			t.Errorf("%s at %d: costs %+v, want %+v", c.how, c.seg, got, c.loss)
		}
		aside, got, next := repaired(t, fs, c.how)
		if !slices.Equal(got, c.want) || next != c.next {
			t.Errorf("%s at %d: %v, next %d; want %v, next %d", c.how, c.seg, got, next, c.want, c.next)
		}
		if kept, err := vfs.ReadFile(fs, fmt.Sprintf("%s/%020d.log", aside, c.seg)); err != nil || string(kept) != string(damaged) {
			t.Errorf("%s: the damaged file was not kept in %s: %v", c.how, aside, err)
		}
	}
}

// A producer's batch that was given up is no duplicate when it comes again.
func TestRepairForgetsWhatProducersLost(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	threeSegments(t, fs)
	s, _ := openStore(t, fs, 2)
	l := s.Log(testID(0))
	size := int64(len(sequenced(7, 0, 0, "value-00")))
	flipByte(t, fs, fmt.Sprintf("%s/%020d.log", l.dir(), 20), 7*size+65) // offset 27
	if _, err := s.Repair(t.Context(), mustDiagnose(t, s, 0), RepairCut, nil); err != nil {
		t.Fatal(err)
	}
	if rs := mustSubmit(t, s, Append(l, sequenced(7, 0, 26, "value-26"))); !rs[0].Duplicate || rs[0].Base != 26 {
		t.Errorf("what is still there: %+v", rs[0])
	}
	if rs := mustSubmit(t, s, Append(l, sequenced(7, 0, 27, "value-27"))); rs[0].Duplicate || rs[0].Base != 27 {
		t.Errorf("what was lost: %+v", rs[0])
	}
	if c := mustCheck(t, l); !c.OK() {
		t.Errorf("%+v", c)
	}
	s.Close()
}

// Whatever change of the disk a loss of power comes before: the log is as it was,
// or repaired; and a second try repairs it.
func TestRepairCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	base := vfs.NewMem()
	threeSegments(t, base)
	s, _ := openStore(t, base, 1)
	flipByte(t, base, fmt.Sprintf("%s/%020d.log", s.Log(testID(0)).dir(), 10), 3*69+65)
	if err := s.EnableTransactions(); err != nil {
		t.Fatal(err)
	}
	mustSubmit(t, s, Begins(Append(s.Log(testID(0)), transactional(9, 0, 0, "nobody knows its end"))))
	s.Close()
	aborted := func(int64, int16) Ending { return WasAborted }
	for step := 0; ; step++ {
		disk := base.Crash(vfs.KeepAll, 1)
		faulty := vfs.NewFaulty(disk)
		s, _ := openStore(t, faulty, 2)
		d := mustDiagnose(t, s, 0)
		rule := faulty.Add(vfs.Rule{Op: vfs.OpChange, After: step, Err: syscall.EIO})
		_, err := s.Repair(t.Context(), d, RepairKeep, aborted)
		if err == nil && faulty.Hits(rule) > 0 {
			t.Errorf("step %d: a failed repair says that it succeeded", step)
		}
		s.Abandon()
		for seed := range uint64(2) {
			after := disk.Crash([]vfs.Keep{vfs.KeepNone, vfs.KeepSome}[seed], uint64(step))
			s, _ := openStore(t, after, 3)
			l := s.Log(testID(0))
			c := mustCheck(t, l)
			if !c.OK() {
				if err == nil {
					t.Fatalf("step %d: the repair is gone", step)
				}
				if _, err := s.Repair(t.Context(), mustDiagnose(t, s, 0), RepairKeep, aborted); err != nil {
					t.Fatalf("step %d: the second try: %v", step, err)
				}
			}
			if a, err := l.Aborted(0, 99); err != nil || len(a) != 1 || l.LastStable() != l.HighWatermark() {
				t.Fatalf("step %d: %v, %v, stable %d of %d", step, a, err, l.LastStable(), l.HighWatermark())
			}
			if got := values(t, l, 1<<20); len(got) != 31 || // with the abort marker
				strings.Contains(strings.Join(got, " "), "value-13") {
				t.Fatalf("step %d: %v", step, got)
			}
			s.Abandon()
		}
		if faulty.Hits(rule) == 0 {
			return
		}
	}
}
