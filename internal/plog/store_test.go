package plog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/vfs"
)

func TestAppendAndReadBackFromTailAndSegments(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t, vfs.NewMem(), 1)
	l := createLog(t, s, 0)
	var want []string
	for i := range 50 {
		v := fmt.Sprintf("v%d", i)
		if i%7 == 3 {
			v += strings.Repeat("x", 40<<10) // straight to the segment
		}
		r := mustSubmit(t, s, Append(l, batchOf(int64(i), v)))[0]
		if r.Base != int64(i) || r.Last != int64(i) {
			t.Fatalf("offsets %d..%d, want %d", r.Base, r.Last, i)
		}
		want = append(want, fmt.Sprintf("%d=%s", i, v))
		if i == 20 || i == 33 {
			if err := s.Checkpoint(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, max := range []int{1, 100, 4096, 1 << 20} {
		if got := values(t, l, max); !slices.Equal(got, want) {
			t.Fatalf("max %d: got %d values, want %d", max, len(got), len(want))
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestReadIsBoundedByStartAndHighWatermark(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t, vfs.NewMem(), 1)
	defer s.Close()
	l := createLog(t, s, 0)
	mustSubmit(t, s, Append(l, batchOf(0, "a", "b", "c")))
	if _, err := l.Read(4, 100, true); !errors.Is(err, kerr.OffsetOutOfRange) {
		t.Errorf("above the end: %v", err)
	}
	if b, err := l.Read(3, 100, true); err != nil || len(b) != 0 {
		t.Errorf("at the end: %d bytes, %v", len(b), err)
	}
	// The whole batch that holds the offset, even from its middle (fetch gotcha 5).
	b, err := l.Read(1, 1, true)
	if err != nil || len(b) == 0 {
		t.Fatalf("in the middle: %d bytes, %v", len(b), err)
	}
	if b, _ := l.Read(1, 1, false); len(b) != 0 {
		t.Errorf("a batch above the limit without minOne: %d bytes", len(b))
	}
	mustSubmit(t, s, SetStart(l, 2))
	if _, err := l.Read(1, 100, true); !errors.Is(err, kerr.OffsetOutOfRange) {
		t.Errorf("below the start: %v", err)
	}
}

func TestCleanCloseNeedsNoScan(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s, _ := openStore(t, fs, 1)
	l := createLog(t, s, 3)
	mustSubmit(t, s, Append(l, batchOf(5, "a")), Append(l, batchOf(6, "b")))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, r := openStore(t, fs, 2)
	if !r.Clean {
		t.Error("not clean")
	}
	l = s.Log(testID(3))
	if got := values(t, l, 100); !slices.Equal(got, []string{"0=a", "1=b"}) {
		t.Fatal(got)
	}
	mustSubmit(t, s, Append(l, batchOf(7, "c")))
	s.Abandon()
	// A clean mark of an earlier life does not count for this one.
	s, r = openStore(t, fs.Kill(), 3)
	if r.Clean {
		t.Error("clean after a kill")
	}
	if got := values(t, s.Log(testID(3)), 100); !slices.Equal(got, []string{"0=a", "1=b", "2=c"}) {
		t.Fatal(got)
	}
	if e, end := s.Log(testID(3)).EpochEnd(1); e != 1 || end != 2 {
		t.Errorf("epoch 1 ends at %d (%d)", end, e)
	}
	s.Close()
}

func TestDeleteIsDurableAndTakesTheDirectory(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s, _ := openStore(t, fs, 1)
	a, b := createLog(t, s, 0), createLog(t, s, 1)
	mustSubmit(t, s, Append(a, batchOf(1, "a")), Append(b, batchOf(1, "b")))
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	mustSubmit(t, s, Append(a, batchOf(1, "a2")))
	mustSubmit(t, s, Delete(a))
	if _, _, err := s.Submit(Append(a, batchOf(1, "late"))); !errors.Is(err, ErrDeleted) {
		t.Errorf("append to a deleted log: %v", err)
	}
	s.Abandon()
	s, _ = openStore(t, fs.Crash(vfs.KeepNone, 1), 2)
	defer s.Close()
	if s.Log(testID(0)) != nil {
		t.Error("a deleted log came back")
	}
	if got := values(t, s.Log(testID(1)), 100); !slices.Equal(got, []string{"0=b"}) {
		t.Error(got)
	}
}

func TestSubmitIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t, vfs.NewMem(), 1)
	defer s.Close()
	a, b := createLog(t, s, 0), createLog(t, s, 1)
	mustSubmit(t, s, Append(b, sequenced(9, 0, 0, "x")))
	_, _, err := s.Submit(Append(a, batchOf(0, "a")), Append(b, sequenced(9, 0, 5, "gap")))
	if !errors.Is(err, kerr.OutOfOrderSequenceNumber) {
		t.Fatal(err)
	}
	if a.End() != 0 || b.End() != 1 {
		t.Errorf("ends %d, %d after a refused unit", a.End(), b.End())
	}
	r := mustSubmit(t, s, Append(a, batchOf(0, "a")), Append(b, sequenced(9, 0, 1, "y")))
	if r[0].Base != 0 || r[1].Base != 1 {
		t.Errorf("%+v", r)
	}
}

func TestSequences(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s, _ := openStore(t, fs, 1)
	l := createLog(t, s, 0)
	for i := range int32(8) {
		mustSubmit(t, s, Append(l, sequenced(1, 0, i*2, "a", "b")))
	}
	check := func(when string) {
		t.Helper()
		// A repeat of one of the last five gets the first answer.
		r := mustSubmit(t, s, Append(l, sequenced(1, 0, 8, "a", "b")))[0]
		if !r.Duplicate || r.Base != 8 || r.Last != 9 {
			t.Errorf("%s: repeat: %+v", when, r)
		}
		for name, seq := range map[string]int32{"gap": 18, "too old": 2, "overlap": 15} {
			if _, _, err := s.Submit(Append(l, sequenced(1, 0, seq, "a", "b"))); !errors.Is(err, kerr.OutOfOrderSequenceNumber) {
				t.Errorf("%s: %s: %v", when, name, err)
			}
		}
		if l.End() != 16 {
			t.Errorf("%s: end %d", when, l.End())
		}
	}
	check("live")
	s.Abandon()
	fs = fs.Crash(vfs.KeepNone, 3)
	s, _ = openStore(t, fs, 2)
	l = s.Log(testID(0))
	check("after a crash")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ = openStore(t, fs, 3)
	defer s.Close()
	l = s.Log(testID(0))
	check("after a clean stop")
	if _, _, err := s.Submit(Append(l, sequenced(1, 1, 3, "x"))); !errors.Is(err, kerr.OutOfOrderSequenceNumber) {
		t.Errorf("a new epoch that does not begin at 0: %v", err)
	}
	mustSubmit(t, s, Append(l, sequenced(1, 1, 0, "x")))
	if _, _, err := s.Submit(Append(l, sequenced(1, 0, 16, "x"))); !errors.Is(err, kerr.InvalidProducerEpoch) {
		t.Errorf("an old epoch: %v", err)
	}
	// An unknown producer may begin anywhere (KIP-360).
	mustSubmit(t, s, Append(l, sequenced(2, 0, 77, "x")))
	// Sequences wrap.
	mustSubmit(t, s, Append(l, sequenced(3, 0, 1<<31-2, "x", "y")))
	mustSubmit(t, s, Append(l, sequenced(3, 0, 0, "z")))
}

func TestNothingIsVisibleBeforeItIsDurable(t *testing.T) {
	t.Parallel()
	gate := vfs.NewFaulty(vfs.NewMem())
	s, _ := openStore(t, gate, 1)
	l := createLog(t, s, 0)
	held := gate.Gate(vfs.OpSync, "00000001.wal") // not of the next file, which is being made
	_, pos, err := s.Submit(Append(l, sequenced(5, 0, 0, "a")))
	if err != nil {
		t.Fatal(err)
	}
	acked, dup := make(chan error, 1), make(chan error, 1)
	s.WhenDurable(pos, func(err error) { acked <- err })
	written := make(chan error, 1)
	s.WhenWritten(pos, func(err error) { written <- err })
	if err := <-written; err != nil { // acks=1 goes on: the bytes are with the file
		t.Fatal(err)
	}
	// A repeat waits for the first one's flush.
	r, dpos, err := s.Submit(Append(l, sequenced(5, 0, 0, "a")))
	if err != nil || !r[0].Duplicate {
		t.Fatal(r, err)
	}
	s.WhenDurable(dpos, func(err error) { dup <- err })
	if l.HighWatermark() != 0 || l.End() != 1 {
		t.Fatalf("high watermark %d, end %d", l.HighWatermark(), l.End())
	}
	if b, err := l.Read(0, 100, true); len(b) != 0 || err != nil {
		t.Fatalf("read %d bytes, %v", len(b), err)
	}
	select {
	case <-acked:
		t.Fatal("acked before the sync")
	case <-dup:
		t.Fatal("a repeat was acked before the sync")
	default:
	}
	held.Open()
	if err := errors.Join(<-acked, <-dup); err != nil {
		t.Fatal(err)
	}
	if got := values(t, l, 100); !slices.Equal(got, []string{"0=a"}) {
		t.Fatal(got)
	}
	s.Close()
}

func TestFailedSyncIsNeverAckedNorRetried(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	f := vfs.NewFaulty(mem)
	s, _ := openStore(t, f, 1)
	l := createLog(t, s, 0)
	mustSubmit(t, s, Append(l, batchOf(0, "good")))
	f.Add(vfs.Rule{Op: vfs.OpSync, Name: "00000001.wal", Times: 1, Err: errors.New("medium error")})
	_, pos, err := s.Submit(Append(l, batchOf(0, "lost")))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(context.Background(), pos); !errors.Is(err, kerr.KafkaStorageError) {
		t.Fatalf("wait: %v", err)
	}
	if _, _, err := s.Submit(Append(l, batchOf(0, "more"))); !errors.Is(err, kerr.KafkaStorageError) {
		t.Fatalf("submit: %v", err)
	}
	if got := values(t, l, 100); !slices.Equal(got, []string{"0=good"}) {
		t.Fatal(got)
	}
	s.Abandon()
}
