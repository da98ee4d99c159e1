package plog

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// What follows was found by the simulation, each by a seed of its own.

// A checkpoint may hold a log start together with a segment below it, whose files
// were removed after it. A recovery that appends behind does not look for them.
func TestRecoveryBehindATrimmedSegment(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	s, _, err := Open(testOptions(mem, 1))
	if err != nil {
		t.Fatal(err)
	}
	s.check.stop() // what it does is done by hand, in the order that hurts
	cfg := DefaultConfig()
	cfg.SegmentAge, cfg.IndexInterval = time.Second, 100
	l := mustSubmit(t, s, Create(testID(1), "t", cfg))[0].Log
	for i := range int64(4) { // the indexes have entries, and none for the last batch
		mustSubmit(t, s, Append(l, batchOf(1000+i, "a")))
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	mustSubmit(t, s, SetStart(l, 4))
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	s.tidy()
	if names, err := mem.List(l.dir()); err != nil || len(names) > 0 {
		t.Fatalf("the segment was to go: %v, %v", names, err)
	}
	for i := range 5 { // more than recovery keeps in memory
		mustSubmit(t, s, Append(l, batchOf(9000, fmt.Sprint(i, strings.Repeat(" ", 8<<10)))))
	}
	disk := mem.Kill()
	s.Abandon()
	s, _, err = Open(testOptions(disk, 2))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Abandon()
	if got := values(t, s.Log(testID(1)), 1<<20); len(got) != 5 || !strings.HasPrefix(got[0], "4=0 ") {
		t.Errorf("after the recovery: %.20q", got)
	}
}

// Records that were found before their log was deleted are not made up of what
// its files never got.
func TestRecordsOfADeletedLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, err := Open(testOptions(vfs.NewMem(), 1))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Abandon()
		l := mustSubmit(t, s, Create(testID(1), "t", DefaultConfig()))[0].Log
		big := make([]byte, 40<<10)
		mustSubmit(t, s, Append(l, batchOf(1, string(big)))) // straight to the file
		mustSubmit(t, s, Append(l, batchOf(2, "a")))         // in memory
		mustSubmit(t, s, Append(l, batchOf(3, string(big)))) // behind a hole for that
		recs, err := l.Fetch(0, 1<<20, true)
		if err != nil {
			t.Fatal(err)
		}
		defer recs.Release()
		var p Piece
		defer p.Done()
		if err := recs.Piece(0, &p); err != nil || p.File == nil || p.Len < len(big) {
			t.Fatalf("%v, %d bytes of a file", err, p.Len)
		}
		next := p.Len
		mustSubmit(t, s, Delete(l))
		synctest.Wait() // its tail and its directory go
		if err := recs.Piece(next, &p); !errors.Is(err, kerr.UnknownTopicOrPartition) {
			t.Errorf("%v, %d bytes of the file at %d", err, p.Len, p.At)
		}
	})
}

// A directory that could not be removed is removed later: a start after a clean stop
// would not find it.
func TestDeletedLogIsRemovedInTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		faulty := vfs.NewFaulty(mem)
		s, _, err := Open(testOptions(faulty, 1))
		if err != nil {
			t.Fatal(err)
		}
		l := mustSubmit(t, s, Create(testID(1), "t", DefaultConfig()))[0].Log
		mustSubmit(t, s, Append(l, batchOf(1, "a")))
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		faulty.Add(vfs.Rule{Op: vfs.OpRemove, Err: syscall.EIO, Times: 1})
		mustSubmit(t, s, Delete(l))
		synctest.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if names, err := mem.List("/data/logs"); err != nil || len(names) != 0 {
			t.Errorf("left behind: %v, %v", names, err)
		}
	})
}

// A bit that has flipped in what no checksum covers, a base offset, is not copied
// by compaction into a file where nothing shows it any more.
func TestCompactionCopiesNoDamage(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	s, _, err := Open(testOptions(mem, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Abandon()
	cfg := DefaultConfig()
	cfg.Delete, cfg.Compact, cfg.SegmentAge = false, true, time.Millisecond
	l := mustSubmit(t, s, Create(testID(1), "t", cfg))[0].Log
	for i := range int64(4) {
		mustSubmit(t, s, Append(l, kafka.Build(kafka.BatchSpec{}, []kafka.Record{{Timestamp: 1000 * i, Key: []byte("k"), Value: []byte("v")}})))
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	f, err := mem.Open(l.dir() + "/00000000000000000002.log")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{0x40}, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Compact(t.Context(), l); !errors.Is(err, errDamagedSegment) {
		t.Errorf("compacted: %v", err)
	}
	if info, err := mem.Stat(l.dir() + "/00000000000000000002.log"); err != nil || info.Size() == 0 {
		t.Errorf("the damaged segment: %v", err)
	}
}

// A disk that a compaction or a backup has found full is looked at again, though
// nothing is written meanwhile.
func TestFullDiskIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		opt := testOptions(mem, 1)
		opt.DiskReserve = 1 << 20
		s, _, err := Open(opt)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Abandon()
		time.Sleep(time.Minute)
		mem.SetSpace(mem.Used() + 1000)
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Admit(t.Context(), 100); !errors.Is(err, kerr.KafkaStorageError) {
			t.Fatalf("on a full disk: %v", err)
		}
		mem.SetSpace(1 << 30)
		time.Sleep(2 * retryFull)
		release, err := s.Admit(t.Context(), 100)
		if err != nil {
			t.Fatalf("the disk has room again: %v", err)
		}
		release()
	})
}
