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
// transaction whose end is lost is ended as its fate is, or is open again and can be
// ended; what its producer has done since is not part of it. The indexes are those of a
// walk.
func TestRepairOfTransactions(t *testing.T) {
	t.Parallel()
	fate := func(e Ending) Fate { return func(int64, int16) Ending { return e } }
	for _, c := range []struct {
		name   string
		lost   int  // which batch is damaged
		goesOn bool // the third is the second one's producer's
		how    Repair
		fate   Fate
		stable int64
		seen   []string // after what is open has been committed
		open   []int64
	}{
		{name: "the end of the second, keep", lost: 4, how: RepairKeep, stable: 3, seen: []string{"2=plain", "3=second", "5=third"}, open: []int64{2}},
		{name: "the end of the second, cut", lost: 4, how: RepairCut, stable: 3, seen: []string{"2=plain", "3=second"}, open: []int64{2}},
		{name: "the beginning of the first, keep", lost: 0, how: RepairKeep, fate: fate(WasAborted), stable: 7, seen: []string{"2=plain", "3=second", "5=third"}},
		{name: "the end of the second, still open, keep", lost: 4, how: RepairKeep, fate: fate(StillOpen), stable: 3, seen: []string{"2=plain", "3=second", "5=third"}, open: []int64{2}},
		{name: "the end of the second, aborted, keep", lost: 4, how: RepairKeep, fate: fate(WasAborted), stable: 8, seen: []string{"2=plain", "5=third"}},
		{name: "the end of the second, aborted, cut", lost: 4, how: RepairCut, fate: fate(WasAborted), stable: 5, seen: []string{"2=plain"}},
		{name: "the end of the second, committed, keep", lost: 4, how: RepairKeep, fate: fate(WasCommitted), stable: 8, seen: []string{"2=plain", "3=second", "5=third"}},
		{name: "the end of the second, who goes on, keep", lost: 4, goesOn: true, how: RepairKeep, stable: 7, seen: []string{"2=plain", "5=third"}},
		{name: "the end of the third, keep", lost: 6, goesOn: true, how: RepairKeep, fate: fate(WasAborted), stable: 7, seen: []string{"2=plain", "3=second"}},
		{name: "the beginning of the third, keep", lost: 5, goesOn: true, how: RepairKeep, fate: fate(WasAborted), stable: 7, seen: []string{"2=plain", "3=second"}},
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
		if c.goesOn {
			add(Mark(l, marker(2, 1, true), 1))                     // 4
			add(Begins(Append(l, transactional(2, 1, 0, "third")))) // 5: committed
			add(Mark(l, marker(2, 2, true), 1))                     // 6
		} else {
			add(Mark(l, marker(2, 0, true), 1))                     // 4
			add(Begins(Append(l, transactional(3, 0, 0, "third")))) // 5: committed
			add(Mark(l, marker(3, 0, true), 1))                     // 6
		}
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
		if _, err := s.Repair(t.Context(), mustDiagnose(t, s, 0), c.how, c.fate); err != nil {
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

// The same where the write-ahead log is damaged: the end that was lost stands before the
// batches that are regained from behind the damage.
func TestRepairOfTransactionsBehindTheEnd(t *testing.T) {
	t.Parallel()
	for how, want := range map[Repair]struct {
		seen    []string
		aborted []AbortedTxn
		end     int64
	}{
		RepairKeep: {[]string{"2=third"}, []AbortedTxn{{2, 0, 1, 2}}, 4},
		RepairCut:  {nil, []AbortedTxn{{2, 0, 1, 2}}, 2},
	} {
		mem := vfs.NewMem()
		s, _ := openStore(t, mem, 1)
		l := createLog(t, s, 0)
		if err := s.EnableTransactions(); err != nil {
			t.Fatal(err)
		}
		mustSubmit(t, s, Begins(Append(l, transactional(2, 0, 0, "second")))) // 0
		mustSubmit(t, s, Mark(l, marker(2, 1, true), 1))                      // 1: lost
		mustSubmit(t, s, Begins(Append(l, transactional(2, 1, 0, "third"))))  // 2
		mustSubmit(t, s, Mark(l, marker(2, 2, true), 1))                      // 3
		s.Abandon()
		mem = mem.Kill()
		flip(t, mem, "second", 4096) // each change is a block of its own
		s, _ = openStore(t, mem, 2)
		d := mustDiagnose(t, s, 0)
		if d.Fence == "" || d.End != 1 {
			t.Fatalf("%+v", d)
		}
		fate := func(producer int64, epoch int16) Ending {
			if producer != 2 || epoch != 0 {
				t.Errorf("asked about producer %d, epoch %d", producer, epoch)
			}
			return WasAborted
		}
		if _, err := s.Repair(t.Context(), d, how, fate); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s, _ = openStore(t, mem, 3)
		l = s.Log(testID(0))
		if ch := mustCheck(t, l); !ch.OK() {
			t.Errorf("%s: not whole after the repair: %+v", how, ch)
		}
		a, err := l.Aborted(0, 9)
		if got := committed(t, l, 1<<20); err != nil || !reflect.DeepEqual(got, want.seen) || !reflect.DeepEqual(a, want.aborted) || l.End() != want.end || l.LastStable() != want.end {
			t.Errorf("%s: %v, %v, %v, stable %d of %d", how, got, a, err, l.LastStable(), l.End())
		}
		s.Abandon()
	}
}

// In a compacted log the offsets before what was lost may have been empty before: they
// belong to another segment than the one that is mended.
func TestRepairOfTransactionsInACompactedLog(t *testing.T) {
	t.Parallel()
	cfg := compactConfig()
	cfg.SegmentBytes = 1 // a segment for each batch
	mem := vfs.NewMem()
	k := newKeyed(t, mem, cfg)
	if err := k.s.EnableTransactions(); err != nil {
		t.Fatal(err)
	}
	add := func(op Op) { mustSubmit(t, k.s, op) }
	add(Begins(Append(k.l, transactional(2, 0, 0, "second")))) // 0
	add(Begins(Append(k.l, transactional(3, 0, 0, "other"))))  // 1
	k.put("x=1")                                               // 2: superseded
	k.put("x=2")                                               // 3: superseded
	add(Mark(k.l, marker(2, 1, true), 1))                      // 4: lost
	add(Mark(k.l, marker(3, 1, true), 1))                      // 5: lost
	add(Begins(Append(k.l, transactional(2, 1, 0, "third"))))  // 6
	add(Begins(Append(k.l, transactional(3, 1, 0, "fourth")))) // 7
	add(Mark(k.l, marker(2, 2, true), 1))                      // 8
	add(Mark(k.l, marker(3, 2, true), 1))                      // 9
	k.put("x=3")                                               // 10
	k.put("x=4")                                               // 11
	k.checkpoint()
	k.compact()
	if got, want := batchesOf(t, k.l), []string{"0:1", "1:1", "4:1M", "5:1M", "6:1", "7:1", "8:1M", "9:1M", "10:1", "11:1"}; !reflect.DeepEqual(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	var files []string
	for _, seg := range k.l.segs {
		if seg.base == 4 || seg.base == 5 {
			files = append(files, seg.file(k.l.dir(), logSuffix))
		}
	}
	if err := k.s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := mem.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, 4), 62); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	k.reopen(mem, cfg)
	if _, err := k.s.Repair(t.Context(), mustDiagnose(t, k.s, 1), RepairKeep, nil); err != nil {
		t.Fatal(err)
	}
	if err := k.s.Close(); err != nil {
		t.Fatal(err)
	}
	k.reopen(mem, cfg)
	if ch := mustCheck(t, k.l); !ch.OK() {
		t.Errorf("not whole after the repair: %+v", ch)
	}
	if got, want := batchesOf(t, k.l), []string{"0:1", "1:1", "4:1M", "5:1M", "6:1", "7:1", "8:1M", "9:1M", "10:1", "11:1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := committed(t, k.l, 1<<20), []string{"6=third", "7=fourth", "10=3", "11=4"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	k.s.Abandon()
}
