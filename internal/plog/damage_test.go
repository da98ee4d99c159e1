package plog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/vfs"
)

// flip inverts one bit of the byte at which the marker first stands in any of
// the write-ahead log's files.
func flip(t *testing.T, fs vfs.FS, marker string, from int) {
	t.Helper()
	names, err := fs.List("/data/wal")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		name := "/data/wal/" + n
		b, err := vfs.ReadFile(fs, name)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(b, []byte(marker))
		if at < 0 {
			continue
		}
		f, err := fs.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{b[at+from] ^ 4}, int64(at+from)); err != nil {
			t.Fatal(err)
		}
		f.Close()
		return
	}
	t.Fatalf("%q is in no file", marker)
}

// twoLogs writes a, b, a, b ... one group each, and dies without a checkpoint.
func twoLogs(t *testing.T) *vfs.Mem {
	fs := vfs.NewMem()
	s, _ := openStore(t, fs, 1)
	a, b := createLog(t, s, 0), createLog(t, s, 1)
	for i := range 4 {
		mustSubmit(t, s, Append(a, batchOf(1, fmt.Sprintf("alpha-%d", i))))
		mustSubmit(t, s, Append(b, batchOf(1, fmt.Sprintf("beta-%d", i))))
	}
	s.Abandon()
	return fs.Kill()
}

// A flipped bit below the durable mark: never served as good, reported, and
// nobody else's affair.
func TestDamageBelowTheDurableMarkFencesItsLogOnly(t *testing.T) {
	t.Parallel()
	fs := twoLogs(t)
	flip(t, fs, "alpha-1", 0)
	s, r := openStore(t, fs, 2)
	if len(r.Fenced) != 1 || r.Fenced[testID(0)] == "" || r.Kept == "" {
		t.Fatalf("%+v", r)
	}
	if _, err := fs.List(r.Kept); err != nil {
		t.Errorf("the damaged log was not kept: %v", err)
	}
	a, b := s.Log(testID(0)), s.Log(testID(1))
	if _, err := a.Read(0, 100, true); !errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("read of the damaged log: %v", err)
	}
	if _, _, err := s.Submit(Append(a, batchOf(1, "x"))); !errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("append to the damaged log: %v", err)
	}
	if got := values(t, b, 100); !slices.Equal(got, []string{"0=beta-0", "1=beta-1", "2=beta-2", "3=beta-3"}) {
		t.Errorf("the other log: %v", got)
	}
	mustSubmit(t, s, Append(b, batchOf(1, "more")))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The fence holds over restarts until somebody decides.
	s, r = openStore(t, fs, 3)
	defer s.Close()
	if r.Fenced[testID(0)] == "" {
		t.Errorf("the fence is gone after a restart: %+v", r)
	}
}

// The newest group was never known to be durable: damage there is a torn tail.
func TestDamageInTheTornTailIsCut(t *testing.T) {
	t.Parallel()
	fs := twoLogs(t)
	flip(t, fs, "beta-3", 0)
	s, r := openStore(t, fs, 2)
	defer s.Close()
	if len(r.Fenced) != 0 || r.TornBytes == 0 {
		t.Fatalf("%+v", r)
	}
	if got := values(t, s.Log(testID(1)), 100); !slices.Equal(got, []string{"0=beta-0", "1=beta-1", "2=beta-2"}) {
		t.Error(got)
	}
}

// When a frame's own header is gone nobody can tell whom it hurts: nothing is
// served, nothing is changed, the error says where the copy is.
func TestDamageThatCannotBeAttributedStopsTheStart(t *testing.T) {
	t.Parallel()
	fs := twoLogs(t)
	// The batch's header is 61 bytes and the record's 7 before the value; the
	// frame's header ends where the batch begins.
	flip(t, fs, "alpha-1", -61-6-20)
	for epoch := int32(2); epoch < 4; epoch++ {
		_, _, err := Open(testOptions(fs, epoch))
		if err == nil || !strings.Contains(err.Error(), "/data/damaged/") {
			t.Fatalf("open: %v", err)
		}
	}
}

func TestDamagedCheckpointIsSaid(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s, _ := openStore(t, fs, 1)
	createLog(t, s, 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := fs.Open("/data/checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt([]byte{0xff}, 30)
	f.Close()
	if _, _, err := Open(testOptions(fs, 2)); !errors.Is(err, errCheckpoint) {
		t.Fatalf("open: %v", err)
	}
}

// A full disk refuses data, and only data; everything goes on when there is room.
func TestFullDiskRefusesDataAndNothingElse(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	fs.SetSpace(8 << 20)
	opt := testOptions(fs, 1)
	opt.DiskReserve = 1 << 20
	s, _, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	l := createLog(t, s, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	v := strings.Repeat("x", 20<<10)
	n := 0
	for {
		release, err := s.Admit(ctx, 21<<10)
		if err != nil {
			if !errors.Is(err, kerr.KafkaStorageError) {
				t.Fatalf("after %d: %v", n, err)
			}
			break
		}
		mustSubmit(t, s, Append(l, batchOf(int64(n), v)))
		release()
		if n++; n%20 == 0 {
			if err := s.Checkpoint(); err != nil && !errors.Is(err, vfs.ErrNoSpace) {
				t.Fatal(err)
			}
		}
		if n > 1000 {
			t.Fatal("the disk never filled")
		}
	}
	if got := values(t, l, 1<<20); len(got) != n {
		t.Errorf("%d of %d records can be read", len(got), n)
	}
	mustSubmit(t, s, Append(l, batchOf(0, "a commit"))) // without Admit
	mustSubmit(t, s, SetStart(l, int64(n)-1))
	fs.SetSpace(64 << 20)
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	release, err := s.Admit(ctx, 100)
	if err != nil {
		t.Fatalf("with room again: %v", err)
	}
	release()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
