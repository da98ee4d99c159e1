package plog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// restored opens what a snapshot brings back.
func restored(t testing.TB, fs vfs.FS, snap *Snapshot, from, to string, epoch int32) *Store {
	t.Helper()
	if err := fs.MkdirAll(to); err != nil {
		t.Fatal(err)
	}
	if err := snap.RestoreFiles(context.Background(), fs, from, to, 99); err != nil {
		t.Fatal(err)
	}
	opt := testOptions(fs, epoch)
	opt.Dir, opt.Salt = to, 99
	s, r, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Fenced) != 0 || r.TornBytes != 0 {
		t.Errorf("%+v", r)
	}
	return s
}

func mustBackup(t testing.TB, s *Store, to string) *Snapshot {
	t.Helper()
	if err := s.opt.FS.MkdirAll(to); err != nil {
		t.Fatal(err)
	}
	snap, err := s.Backup(context.Background(), to)
	if err != nil {
		t.Fatal(err)
	}
	if err := snap.Verify(context.Background(), s.opt.FS, to); err != nil {
		t.Fatal(err)
	}
	return snap
}

// Backups while writers append to two logs at once and each to their own: whatever
// was acknowledged before a backup began is in it, each log is a prefix of what it
// became, and what was written to two logs together is in both or in neither.
func TestBackupOfABusyStore(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	opt := testOptions(fs, 1)
	opt.CheckpointBytes = 64 << 10
	s, _, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.SegmentBytes, cfg.IndexInterval = 3000, 500
	const writers = 4
	logs := make([]*Log, writers+2)
	for i := range logs {
		logs[i] = mustSubmit(t, s, Create(testID(i), "topic", cfg))[0].Log
	}
	var acked [writers]atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := int64(0); ctx.Err() == nil; n++ {
				value := fmt.Sprintf("%d/%d", w, n)
				ops := []Op{Append(logs[w], batchOf(n, value)), Append(logs[writers], batchOf(n, value)), Append(logs[writers+1], batchOf(n, value))}
				if n%50 == 49 { // large ones go straight to their segment
					ops[0] = Append(logs[w], batchOf(n, value+strings.Repeat("x", 40<<10)))
				}
				if n%97 == 96 {
					ops = append(ops, SetStart(logs[writers+1], logs[writers+1].HighWatermark()/2))
				}
				release, err := s.Admit(context.Background(), 2000)
				if err != nil {
					t.Error(err)
					return
				}
				_, pos, err := s.Submit(ops...)
				release()
				if err == nil {
					err = s.Wait(context.Background(), pos)
				}
				if err != nil {
					t.Error(err)
					return
				}
				acked[w].Store(n + 1)
			}
		})
	}
	defer func() { stop(); wg.Wait(); s.Close() }()
	for round := range 4 {
		var before [writers]int64
		for w := range writers {
			for acked[w].Load() < int64(20*(round+1)) {
				if err := s.Wait(t.Context(), s.wal.Last()); err != nil {
					t.Fatal(err)
				}
			}
			before[w] = acked[w].Load()
		}
		to := fmt.Sprintf("/backup-%d", round)
		snap := mustBackup(t, s, to)
		r := restored(t, fs, snap, to, fmt.Sprintf("/restored-%d", round), int32(10+round))
		var count [writers]int64
		for w := range writers {
			got := values(t, r.Log(testID(w)), 1<<20)
			for i, v := range got {
				if want := fmt.Sprintf("%d=%d/%d", i, w, i); strings.TrimRight(v, "x") != want {
					t.Fatalf("round %d: record %d of writer %d is %.40s", round, i, w, v)
				}
			}
			if count[w] = int64(len(got)); count[w] < before[w] {
				t.Errorf("round %d: writer %d had %d acknowledged, %d are in the backup", round, w, before[w], count[w])
			}
		}
		var shared [writers]int64
		for _, v := range values(t, r.Log(testID(writers)), 1<<20) {
			_, v, _ = strings.Cut(v, "=")
			who, _, _ := strings.Cut(v, "/")
			w, err := strconv.Atoi(who)
			if err != nil {
				t.Fatal(v)
			}
			shared[w]++
		}
		if shared != count {
			t.Errorf("round %d: the writers' own logs hold %v, the shared one %v", round, count, shared)
		}
		if a, b := r.Log(testID(writers)).End(), r.Log(testID(writers+1)).End(); a != b {
			t.Errorf("round %d: two logs that are only written together end at %d and %d", round, a, b)
		}
		for i := range logs {
			if c := mustCheck(t, r.Log(testID(i))); !c.OK() {
				t.Errorf("round %d, log %d: %+v", round, i, c)
			}
		}
		r.Close()
	}
}

// What a backup holds does not change, whatever the store does later: appends,
// retention, compaction, deletion, a crash with a large batch on its way.
func TestBackupStaysAsItIs(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s, _ := openStore(t, fs, 1)
	cfg := DefaultConfig()
	cfg.SegmentBytes, cfg.Compact, cfg.Delete, cfg.MinCleanableRatio = 2000, true, false, 0.01
	var logs []*Log
	for i := range 3 {
		logs = append(logs, mustSubmit(t, s, Create(testID(i), "topic", cfg))[0].Log)
	}
	fill := func(s *Store, from, n int) {
		for i := range n {
			for j := range logs {
				if l := s.Log(testID(j)); l != nil {
					mustSubmit(t, s, Append(l, keyedBatch(int64(from+i), "k"+strconv.Itoa(i%5), fmt.Sprintf("v-%d-%s", from+i, strings.Repeat("p", 100)))))
				}
			}
		}
	}
	fill(s, 0, 60)
	snap := mustBackup(t, s, "/backup")
	linked := 0
	for _, f := range snap.Files {
		if f.Linked {
			linked++
		}
	}
	if linked == 0 {
		t.Fatal("no segment was linked: the test would show nothing")
	}
	if err := fs.SyncDir("/"); err != nil {
		t.Fatal(err)
	}
	before := dumpTree(t, fs, "/backup")
	same := func(what string) {
		t.Helper()
		if dumpTree(t, fs, "/backup") != before {
			t.Fatalf("%s changed the backup", what)
		}
	}
	fill(s, 60, 60)
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	same("an append")
	for {
		c, err := s.CompactNext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if c == nil {
			break
		}
	}
	same("compaction")
	mustSubmit(t, s, SetStart(logs[1], 40), Delete(logs[2]))
	s.tidy()
	same("trimming and deleting")
	mustSubmit(t, s, Append(logs[0], batchOf(1, strings.Repeat("large", 10<<10))))
	s.Abandon()
	fs = fs.Crash(vfs.KeepSome, 3)
	if _, err := fs.Stat("/data/" + stagingDir); err == nil {
		t.Error("the staging directory of a backup that ended is still there")
	}
	s, _ = openStore(t, fs, 2)
	fill(s, 120, 30)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	same("a crash and what followed")
	r := restored(t, fs, snap, "/backup", "/restored", 3)
	defer r.Close()
	for i := range 3 {
		if got := values(t, r.Log(testID(i)), 1<<20); len(got) != 60 || !strings.HasPrefix(got[59], "59=v-59-") {
			t.Errorf("log %d has %d records: %.80v", i, len(got), got)
		}
	}
}

// A backup to another file system, where nothing can be linked, is one of copies.
func TestBackupWithoutLinksCopies(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	threeSegments(t, mem)
	fs := vfs.NewFaulty(mem)
	fs.Add(vfs.Rule{Op: vfs.OpLink, Name: "/backup/*/*/*/*", Err: errors.New("cross-device link")})
	s, _ := openStore(t, fs, 2)
	defer s.Close()
	snap := mustBackup(t, s, "/backup")
	for _, f := range snap.Files {
		if f.Linked {
			t.Errorf("%s is linked", f.Name)
		}
	}
	r := restored(t, mem, snap, "/backup", "/restored", 3)
	defer r.Close()
	if got := values(t, r.Log(testID(0)), 1<<20); len(got) != 30 {
		t.Errorf("%d records", len(got))
	}
}

// Any wrong byte of a backup is found before anything is made of it.
func TestBackupThatWasChangedIsNotRestored(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	threeSegments(t, fs)
	s, _ := openStore(t, fs, 2)
	snap := mustBackup(t, s, "/backup")
	s.Close()
	for _, f := range snap.Files {
		name := "/backup/" + f.Name
		for _, at := range []int64{0, f.Bytes / 2, f.Bytes - 1} {
			flipByte(t, fs, name, at)
			if err := snap.Verify(t.Context(), fs, "/backup"); !errors.Is(err, errCopied) {
				t.Errorf("byte %d of %s: verified: %v", at, f.Name, err)
			}
			if err := fs.MkdirAll("/to"); err != nil {
				t.Fatal(err)
			}
			if err := snap.RestoreFiles(t.Context(), fs, "/backup", "/to", 1); err == nil {
				t.Errorf("byte %d of %s: restored", at, f.Name)
			}
			flipByte(t, fs, name, at)
		}
	}
	if err := snap.Verify(t.Context(), fs, "/backup"); err != nil {
		t.Fatal(err)
	}
}

// Producers go on where the backup stands: what it holds is a duplicate, what it
// does not hold is appended.
func TestBackupKeepsProducers(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s, _ := openStore(t, fs, 1)
	l := createLog(t, s, 0)
	for i := range 4 {
		mustSubmit(t, s, Append(l, sequenced(9, 0, int32(i), "v")))
	}
	snap := mustBackup(t, s, "/backup")
	mustSubmit(t, s, Append(l, sequenced(9, 0, 4, "lost")))
	s.Close()
	r := restored(t, fs, snap, "/backup", "/restored", 2)
	defer r.Close()
	l = r.Log(testID(0))
	if rs := mustSubmit(t, r, Append(l, sequenced(9, 0, 3, "v"))); !rs[0].Duplicate || rs[0].Base != 3 {
		t.Errorf("%+v", rs[0])
	}
	if rs := mustSubmit(t, r, Append(l, sequenced(9, 0, 4, "again"))); rs[0].Duplicate || rs[0].Base != 4 {
		t.Errorf("%+v", rs[0])
	}
	// Where epoch 1 ended is told truthfully: at the end of the backup.
	if epoch, end := l.EpochEnd(1); epoch != 1 || end != 4 {
		t.Errorf("epoch %d ends at %d", epoch, end)
	}
	if !slices.Equal(values(t, l, 100), []string{"0=v", "1=v", "2=v", "3=v", "4=again"}) {
		t.Error(values(t, l, 100))
	}
}

func keyedBatch(ts int64, key, value string) kafka.Batch {
	return kafka.Build(kafka.BatchSpec{}, []kafka.Record{{Timestamp: ts, Key: []byte(key), Value: []byte(value)}})
}
