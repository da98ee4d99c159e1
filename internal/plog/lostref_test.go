package plog

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// largeBetweenSmall writes a, a large batch, b and c into log 0, and dies without a
// checkpoint: the large batch is in its segment, the others in the write-ahead log.
func largeBetweenSmall(t *testing.T) (fs *vfs.Mem, segment, large string) {
	mem := vfs.NewMem()
	s, _ := openStore(t, mem, 1)
	l := createLog(t, s, 0)
	large = strings.Repeat("large", 10<<10)
	for _, v := range []string{"a", large, "b", "c"} {
		mustSubmit(t, s, Append(l, batchOf(1, v)))
	}
	segment = l.segs[0].file(l.dir(), logSuffix)
	s.Abandon()
	return mem.Kill(), segment, large
}

// What follows a large batch that is damaged in its segment is good, and only in the
// write-ahead log: the start that fences the partition keeps a copy of that, from
// which a repair brings it back.
func TestWhatFollowsADamagedLargeBatchIsKept(t *testing.T) {
	t.Parallel()
	fs, segment, _ := largeBetweenSmall(t)
	flipByte(t, fs, segment, 40<<10)
	s, r := openStore(t, fs, 1)
	if len(r.Fenced) != 1 || r.Kept == "" {
		t.Fatalf("%+v", r)
	}
	d := mustDiagnose(t, s, 0)
	s.Close()
	if d.Keep.Offsets != 1 || d.Keep.Regained != 2 {
		t.Errorf("it costs %+v", d.Keep)
	}
	_, got, next := repaired(t, fs, RepairKeep)
	if want := []string{"0=a", "2=b", "3=c"}; !slices.Equal(got, want) || next != 4 {
		t.Errorf("%v, next %d; want %v", got, next, want)
	}
}

// A large batch that cannot be read says nothing about what the disk holds: the start
// is refused, and the next one finds all of it.
func TestAnUnreadableLargeBatchIsNoDamage(t *testing.T) {
	t.Parallel()
	fs, segment, large := largeBetweenSmall(t)
	faulty := vfs.NewFaulty(fs)
	faulty.Add(vfs.Rule{Op: vfs.OpRead, Name: segment, Err: syscall.EIO, Times: 1})
	_, _, err := Open(testOptions(faulty, 2))
	if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "offset 1") {
		t.Fatalf("the start: %v", err)
	}
	s, r := openStore(t, fs, 3)
	defer s.Close()
	if len(r.Fenced) != 0 {
		t.Errorf("%+v", r)
	}
	if got := values(t, s.Log(testID(0)), 1<<20); !slices.Equal(got, []string{"0=a", "1=" + large, "2=b", "3=c"}) {
		t.Errorf("%d values are there", len(got))
	}
}
