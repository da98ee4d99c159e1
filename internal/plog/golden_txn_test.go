package plog

import (
	"errors"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/leatdev/leat/internal/vfs"
)

// A data directory with transactions, as text: checkpoint version 2 with an open
// transaction and two segments' aborted ones, and the end of that transaction and
// another's in the write-ahead log only.
const goldenTxn = "testdata/format1-transactions.txt"

func goldenTxnStore(t testing.TB) *vfs.Mem {
	mem := vfs.NewMem()
	opt := testOptions(mem, 1)
	opt.WALFileSize, opt.WALFiles = 64<<10, 2
	opt.Now = func() time.Time { return time.UnixMilli(1_700_000_000_000) }
	s, _, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.SegmentBytes = 300
	l := mustSubmit(t, s, Create(testID(0), "orders", cfg))[0].Log
	if err := s.EnableTransactions(); err != nil {
		t.Fatal(err)
	}
	mustSubmit(t, s, Begins(Append(l, transactional(1, 0, 0, "aborted")))) // 0
	mustSubmit(t, s, Mark(l, marker(1, 1, false), 1000))                   // 1
	mustSubmit(t, s, Begins(Append(l, transactional(2, 7, 0, "open"))))    // 2
	mustSubmit(t, s, Begins(Append(l, transactional(1, 1, 0, "too"))))     // 3
	mustSubmit(t, s, Mark(l, marker(1, 2, false), 1000))                   // 4
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	mustSubmit(t, s, Begins(Append(l, transactional(3, 0, 0, "late")))) // 5
	mustSubmit(t, s, Mark(l, marker(2, 8, true), 1000))                 // 6
	mustSubmit(t, s, Mark(l, marker(3, 1, false), 1000))                // 7
	mustSubmit(t, s, Begins(Append(l, transactional(2, 8, 0, "next")))) // 8
	s.check.stop()
	killed := mem.Kill()
	s.Abandon()
	return killed
}

func TestGoldenTransactionsAreWritten(t *testing.T) {
	t.Parallel()
	got := dumpTree(t, goldenTxnStore(t), "/data")
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(goldenTxn, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenTxn)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the format has changed; that needs a new version and a way to read the old one:\n%s", got)
	}
}

func TestGoldenTransactionsAreRead(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(goldenTxn)
	if err != nil {
		t.Fatal(err)
	}
	mem := plantTree(t, string(text))
	opt := testOptions(mem, 2)
	opt.WALFileSize = 64 << 10
	s, r, err := Open(opt)
	if err != nil || len(r.Fenced) != 0 || r.Batches != 4 {
		t.Fatalf("%v, %+v", err, r)
	}
	defer s.Abandon()
	l := s.Log(testID(0))
	if l.LastStable() != 8 || l.HighWatermark() != 9 {
		t.Errorf("stable %d, high watermark %d", l.LastStable(), l.HighWatermark())
	}
	if got := committed(t, l, 100); !reflect.DeepEqual(got, []string{"2=open"}) {
		t.Errorf("%v", got)
	}
	want := []AbortedTxn{{1, 0, 1, 2}, {1, 3, 4, 2}, {3, 5, 7, 8}}
	if got, err := l.Aborted(0, 9); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v %v", got, err)
	}
	if c, err := l.Check(t.Context()); err != nil || !c.OK() {
		t.Errorf("%+v %v", c, err)
	}
}

// A backup has the transactions that were open, and the indexes of those that were
// aborted.
func TestBackupOfTransactions(t *testing.T) {
	t.Parallel()
	mem := goldenTxnStore(t)
	opt := testOptions(mem, 2)
	opt.WALFileSize = 64 << 10
	s, _, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := mem.MkdirAll("/backup"); err != nil {
		t.Fatal(err)
	}
	snap, err := s.Backup(t.Context(), "/backup")
	if err != nil {
		t.Fatal(err)
	}
	s.Abandon()
	if err := snap.Verify(t.Context(), mem, "/backup"); err != nil || len(snap.Logs[0].Damage) > 0 {
		t.Fatal(err, snap.Logs)
	}
	if err := errors.Join(mem.MkdirAll("/again"), snap.RestoreFiles(t.Context(), mem, "/backup", "/again", 77)); err != nil {
		t.Fatal(err)
	}
	opt.Dir, opt.Salt = "/again", 77
	s, _, err = Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Abandon()
	l := s.Log(testID(0))
	if got := committed(t, l, 100); l.LastStable() != 8 || !reflect.DeepEqual(got, []string{"2=open"}) {
		t.Errorf("stable %d: %v", l.LastStable(), got)
	}
	if c, err := l.Check(t.Context()); err != nil || !c.OK() {
		t.Errorf("%+v %v", c, err)
	}
}
