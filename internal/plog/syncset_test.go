package plog

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// openManyDirty opens a store that syncs the whole file system from so many files
// on, with three logs that hold a batch each.
func openManyDirty(t *testing.T, fs vfs.FS, together int) *Store {
	t.Helper()
	opt := testOptions(fs, 1)
	opt.SyncTogether = together
	s, _, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		mustSubmit(t, s, Append(createLog(t, s, n), batchOf(1, "acked")))
	}
	return s
}

// A checkpoint of many files syncs the file system once instead of each of them,
// one of few files does not ask what others have written there.
func TestCheckpointSyncsManyFilesAtOnce(t *testing.T) {
	t.Parallel()
	for from, want := range map[int]string{1: "all", math.MaxInt: "each"} {
		mem := vfs.NewMem()
		faulty := vfs.NewFaulty(mem)
		s := openManyDirty(t, faulty, from)
		faulty.Trace(vfs.OpSync | vfs.OpSyncDir | vfs.OpSyncAll)
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		all, each := 0, 0
		for _, line := range faulty.Lines() {
			switch {
			case strings.HasPrefix(line, "syncall"):
				all++
			case strings.HasSuffix(line, ".log"), strings.Contains(line, "/logs"):
				each++
			}
		}
		if got := map[bool]string{true: "all", false: "each"}[all == 1 && each == 0]; got != want || all+each == 0 {
			t.Errorf("from %d files on: %d syncs of all, %d of files and directories of logs", from, all, each)
		}
		s.Abandon()
		wantAcked(t, mem.Crash(vfs.KeepNone, 0))
	}
}

// wantAcked opens the disk and looks for what openManyDirty had acknowledged.
func wantAcked(t *testing.T, disk *vfs.Mem) {
	t.Helper()
	s, r := openStore(t, disk, 2)
	defer s.Close()
	for n := range 3 {
		if got := values(t, s.Log(testID(n)), 100); !slices.Equal(got, []string{"0=acked"}) || len(r.Fenced) != 0 {
			t.Errorf("log %d after the crash: %v, %+v", n, got, r)
		}
	}
}

// Where others have much to write, files are synced one by one.
func TestBusyVolumeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	faulty := vfs.NewFaulty(mem)
	s := openManyDirty(t, faulty, 1)
	busy := faulty.Add(vfs.Rule{Op: vfs.OpSyncAll, Err: vfs.ErrBusy})
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if faulty.Hits(busy) != 1 {
		t.Errorf("the volume was asked %d times", faulty.Hits(busy))
	}
	s.Abandon()
	wantAcked(t, mem.Crash(vfs.KeepNone, 0))
}

// A sync of the file system that fails is as final as that of a file; a full disk
// is tried again, with everything written anew.
func TestFailedSyncOfTheVolume(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{syscall.EIO, vfs.ErrNoSpace} {
		mem := vfs.NewMem()
		faulty := vfs.NewFaulty(mem)
		s := openManyDirty(t, faulty, 1)
		faulty.Add(vfs.Rule{Op: vfs.OpSyncAll, Err: failure, Times: 1})
		if err := s.Checkpoint(); !errors.Is(err, failure) {
			t.Fatalf("%v: the checkpoint says %v", failure, err)
		}
		final := failure != vfs.ErrNoSpace
		if err := s.Checkpoint(); (err != nil) != final {
			t.Errorf("%v: a second checkpoint says %v", failure, err)
		}
		if err := s.Err(); errors.Is(err, failure) != final {
			t.Errorf("%v: the store says %v", failure, err)
		}
		if !final {
			mustSubmit(t, s, Append(s.Log(testID(2)), batchOf(2, "later")))
			if err := s.Wait(context.Background(), s.wal.Last()); err != nil {
				t.Error(err)
			}
			s.Abandon()
			continue
		}
		s.Abandon()
		wantAcked(t, mem.Crash(vfs.KeepNone, 0))
	}
}
