package plog

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/vfs"
)

// A checkpoint may begin when a unit is durable and the logs have not noted it
// yet: it must not take the write-ahead log's word for it and leave it out.
func TestCheckpointMissesNoUnitThatIsBeingNoted(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	opt := testOptions(fs, 1)
	opt.WALFileSize = 8 << 20
	s, _, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	const logs = 3000 // noting them takes a while
	var create, add []Op
	for n := range logs {
		create = append(create, Create(testID(n), "topic", DefaultConfig()))
	}
	for _, r := range mustSubmit(t, s, create...) {
		add = append(add, Append(r.Log, batchOf(1, "a")))
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	// Whoever notes a change has to wait here; the flush has not.
	s.mu.RLock()
	pos := s.wal.Last() + 1
	submitted, checked := make(chan error, 1), make(chan error, 1)
	go func() {
		_, _, err := s.Submit(add...)
		submitted <- err
	}()
	for s.wal.Durable() < pos {
		runtime.Gosched()
	}
	go func() { checked <- s.Checkpoint() }()
	<-timeSlice()
	s.mu.RUnlock()
	if err := errors.Join(<-submitted, <-checked); err != nil {
		t.Fatal(err)
	}
	s.Abandon()
	s, _ = openStore(t, fs.Crash(vfs.KeepNone, 0), 2)
	defer s.Close()
	lost := 0
	for n := range logs {
		if s.Log(testID(n)).HighWatermark() != 1 {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d acknowledged batches are gone", lost, logs)
	}
}

// The same moment for a deletion: durable, and its callback still runs.
func TestCheckpointForgetsNoDeletion(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s, _ := openStore(t, fs, 1)
	a, b := createLog(t, s, 0), createLog(t, s, 1)
	inside, leave := make(chan bool), make(chan bool)
	var once bool
	a.Watch(func() {
		if !once {
			once = true
			close(inside)
			<-leave
		}
	})
	_, pos, err := s.Submit(Append(a, batchOf(1, "a")), Delete(b))
	if err != nil {
		t.Fatal(err)
	}
	<-inside // a has been told, b not yet
	checked := make(chan error, 1)
	go func() { checked <- s.Checkpoint() }()
	crashed := make(chan *vfs.Mem, 1)
	go func() {
		err := <-checked
		checked <- err
		crashed <- fs.Crash(vfs.KeepNone, 0)
	}()
	select { // it either waits for the deletion or knows of it
	case <-crashed:
		t.Error("the checkpoint went over a deletion that was not carried out yet")
	case <-timeSlice():
	}
	close(leave)
	if err := s.Wait(context.Background(), pos); err != nil {
		t.Fatal(err)
	}
	if err := <-checked; err != nil {
		t.Fatal(err)
	}
	s.Abandon()
	s, _ = openStore(t, fs.Crash(vfs.KeepNone, 0), 2)
	defer s.Close()
	if s.Log(testID(1)) != nil {
		t.Error("the deleted log is back")
	}
}

// timeSlice comes when others have had their chance to run.
func timeSlice() <-chan bool {
	ch := make(chan bool)
	go func() {
		for range 2000 {
			runtime.Gosched()
		}
		close(ch)
	}()
	return ch
}

// An acknowledgement comes after the high watermark has passed it: who was
// acknowledged can read it.
func TestAcknowledgedCanBeRead(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t, vfs.NewMem(), 1)
	defer s.Close()
	l := createLog(t, s, 0)
	for i := range 3000 {
		release, err := s.Admit(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		_, pos, err := s.Submit(Append(l, batchOf(1, "a")))
		release()
		if err != nil {
			t.Fatal(err)
		}
		for s.wal.Durable() < pos { // who asks late is answered on his own goroutine
			runtime.Gosched()
		}
		if err := s.Wait(context.Background(), pos); err != nil {
			t.Fatal(err)
		}
		if hw := l.HighWatermark(); hw != int64(i+1) {
			t.Fatalf("acknowledged %d, the high watermark is %d", i+1, hw)
		}
	}
}

// A unit that is refused leaves nothing: no offset, no open file, no byte in the
// segment that its large batch went to.
func TestRefusedUnitLeavesNothing(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s, _ := openStore(t, fs, 1)
	a, b := createLog(t, s, 0), createLog(t, s, 1)
	mustSubmit(t, s, Append(b, sequenced(9, 0, 0, "x")), Append(a, batchOf(1, "small")))
	large := strings.Repeat("z", 60<<10)
	for range 3 {
		_, _, err := s.Submit(Append(a, batchOf(1, large)), Append(b, sequenced(9, 0, 7, "a gap")))
		if !errors.Is(err, kerr.OutOfOrderSequenceNumber) {
			t.Fatal(err)
		}
	}
	if n := inUse(s); n != 0 {
		t.Errorf("%d files are in use", n)
	}
	if a.End() != 1 || a.Size() != int64(len(batchOf(1, "small"))) {
		t.Errorf("end %d, size %d", a.End(), a.Size())
	}
	mustSubmit(t, s, Append(a, batchOf(1, "small too")))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	checkFiles(t, fs, a)
}

// inUse counts the files that somebody has open.
func inUse(s *Store) (n int) {
	s.files.mu.Lock()
	defer s.files.mu.Unlock()
	for _, f := range s.files.named {
		n += f.users
	}
	return n
}

// checkFiles compares the files in the log's directory with what it should have.
func checkFiles(t *testing.T, fs vfs.FS, l *Log) {
	t.Helper()
	names, err := fs.List(l.dir())
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, seg := range l.segs {
		for suffix, size := range seg.sizes() {
			name := seg.file("", suffix)
			if suffix == logSuffix || size > 0 {
				want = append(want, name)
			}
			if info, err := fs.Stat(l.dir() + "/" + name); err == nil && info.Size() != int64(size) {
				t.Errorf("%s has %d bytes, want %d", name, info.Size(), size)
			}
		}
	}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
}

// A refused unit must not make the log forget that a checkpoint has made its
// segment's file meanwhile: it would be made anew, empty.
func TestRefusedUnitBesideTheFirstCheckpoint(t *testing.T) {
	t.Parallel()
	faulty := vfs.NewFaulty(vfs.NewMem())
	opt := testOptions(faulty, 1)
	opt.OpenFiles = 1
	s, _, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, b := createLog(t, s, 0), createLog(t, s, 1)
	mustSubmit(t, s, Append(b, sequenced(9, 0, 0, "x")))
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	mustSubmit(t, s, Append(a, batchOf(1, "first")))
	// The checkpoint stands before its last directory sync; a unit that will be
	// refused is in the middle of writing its large batch; the checkpoint goes on.
	dirs := faulty.Gate(vfs.OpSyncDir, "/data/logs")
	checked := make(chan error, 1)
	go func() { checked <- s.Checkpoint() }()
	<-dirs.Arrived()
	opening := faulty.Gate(vfs.OpWrite, "*.log")
	refused := make(chan error, 1)
	big := strings.Repeat("z", 60<<10)
	go func() {
		_, _, err := s.Submit(Append(a, batchOf(1, "second")), Append(b, batchOf(1, big)), Append(b, sequenced(9, 0, 7, "a gap")))
		refused <- err
	}()
	<-opening.Arrived()
	dirs.Open()
	select { // the checkpoint marks the file as made, or waits for the unit
	case err := <-checked:
		checked <- err
	case <-timeSlice():
	}
	opening.Open()
	if err := <-refused; !errors.Is(err, kerr.OutOfOrderSequenceNumber) {
		t.Fatal(err)
	}
	if err := <-checked; err != nil {
		t.Fatal(err)
	}
	for n := range 3 { // so that the file is not open any more
		mustSubmit(t, s, Append(createLog(t, s, 5+n), batchOf(1, "x")))
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	mustSubmit(t, s, Append(a, batchOf(1, "third")))
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if got := values(t, a, 1000); !slices.Equal(got, []string{"0=first", "1=third"}) {
		t.Errorf("%v", got)
	}
}

// A segment whose sync has failed proves nothing by a second sync: the store
// stops, what was acknowledged stays readable, and a restart has all of it.
func TestFailedSyncOfASegmentIsFinal(t *testing.T) {
	t.Parallel()
	for _, op := range []vfs.Op{vfs.OpSync, vfs.OpSyncDir} {
		for _, where := range []string{"checkpoint", "direct"} {
			name := "*.log"
			if op == vfs.OpSyncDir {
				name = "0" // the partition's directory
			}
			mem := vfs.NewMem()
			faulty := vfs.NewFaulty(mem)
			s, _ := openStore(t, faulty, 1)
			l := createLog(t, s, 0)
			mustSubmit(t, s, Append(l, batchOf(1, "acked")))
			faulty.Add(vfs.Rule{Op: op, Name: name, Err: syscall.EIO, Times: 1})
			var err error
			if where == "checkpoint" {
				err = s.Checkpoint()
			} else {
				var pos Pos
				if _, pos, err = s.Submit(Append(l, batchOf(1, strings.Repeat("z", 60<<10)))); err == nil {
					err = s.Wait(context.Background(), pos)
				}
			}
			if !errors.Is(err, syscall.EIO) {
				t.Fatalf("%s: %v", where, err)
			}
			if err := s.Err(); !errors.Is(err, syscall.EIO) {
				t.Errorf("%s: the store goes on: %v", where, err)
			}
			if err := s.Checkpoint(); err == nil {
				t.Errorf("%s: a second checkpoint claims to have worked", where)
			}
			if _, _, err := s.Submit(Append(l, batchOf(1, "late"))); !errors.Is(err, kerr.KafkaStorageError) {
				t.Errorf("%s: append: %v", where, err)
			}
			if got := values(t, l, 100); !slices.Equal(got, []string{"0=acked"}) {
				t.Errorf("%s: %v", where, got)
			}
			s.Abandon()
			if n := inUse(s); n != 0 {
				t.Errorf("%s: %d files are in use after the end", where, n)
			}
			s, r := openStore(t, mem.Crash(vfs.KeepNone, 0), 2)
			if got := values(t, s.Log(testID(0)), 100); !slices.Equal(got, []string{"0=acked"}) || len(r.Fenced) != 0 {
				t.Errorf("%s: after the restart %v, %+v", where, got, r)
			}
			s.Close()
		}
	}
}

// A full disk at a segment's sync is no failure: with room again everything is
// written anew from memory, also what the system has dropped.
func TestFullDiskAtASegmentSyncIsTriedAgain(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	faulty := vfs.NewFaulty(mem)
	s, _ := openStore(t, faulty, 1)
	l := createLog(t, s, 0)
	mustSubmit(t, s, Append(l, batchOf(1, "a")))
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	mustSubmit(t, s, Append(l, batchOf(2, "b")))
	faulty.Add(vfs.Rule{Op: vfs.OpSync, Name: "*.log", Err: vfs.ErrNoSpace, Times: 1})
	if err := s.Checkpoint(); !errors.Is(err, vfs.ErrNoSpace) {
		t.Fatal(err)
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	s.Abandon()
	s, _ = openStore(t, mem.Crash(vfs.KeepNone, 0), 2)
	defer s.Close()
	if got := values(t, s.Log(testID(0)), 100); !slices.Equal(got, []string{"0=a", "1=b"}) {
		t.Errorf("%v", got)
	}
}

// A clean stop leaves no file that nobody refers to: the next start does not look.
func TestCleanStopLeavesNoFilesBehind(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	faulty := vfs.NewFaulty(mem)
	s, _ := openStore(t, faulty, 1)
	cfg := DefaultConfig()
	cfg.SegmentBytes = 300
	kept := mustSubmit(t, s, Create(testID(0), "kept", cfg))[0].Log
	gone := mustSubmit(t, s, Create(testID(1), "gone", cfg))[0].Log
	for i := range 20 {
		mustSubmit(t, s, Append(kept, batchOf(int64(i), "v")), Append(gone, batchOf(int64(i), "v")))
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	// The checkpointer is busy while the log is deleted and the other trimmed,
	// and is stopped before it has come to that.
	gate := faulty.Gate(vfs.OpRename, "checkpoint.tmp")
	mustSubmit(t, s, Append(kept, batchOf(30, "v")))
	s.check.now()
	<-gate.Arrived()
	mustSubmit(t, s, Delete(gone), SetStart(kept, 15))
	s.check.ask(&s.check.quit)
	gate.Open()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	disk := mem.Crash(vfs.KeepNone, 0)
	if names, err := disk.List("/data/logs"); err != nil || len(names) != 1 {
		t.Errorf("topics left: %v, %v", names, err)
	}
	checkFiles(t, disk, kept)
}

// A batch that was on its way straight to its segment when the process died is
// cut off, also in a log that has nothing else to recover.
func TestHalfWrittenLargeBatchIsCutOff(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	s, _ := openStore(t, mem, 1)
	l := createLog(t, s, 0)
	mustSubmit(t, s, Append(l, batchOf(1, "a")))
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	f, err := mem.Open(l.segs[0].file(l.dir(), logSuffix))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 100<<10), int64(l.segs[0].end)); err != nil {
		t.Fatal(err)
	}
	s.Abandon()
	mem = mem.Kill()
	s, _ = openStore(t, mem, 2)
	mustSubmit(t, s, Append(s.Log(testID(0)), batchOf(1, "b")))
	l = s.Log(testID(0))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	checkFiles(t, mem, l)
}

// Without its checkpoint a data directory is not an empty one.
func TestMissingCheckpointIsNoEmptyStore(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	s, _ := openStore(t, mem, 1)
	mustSubmit(t, s, Append(createLog(t, s, 0), batchOf(1, "a")))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := mem.Remove("/data/checkpoint"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(testOptions(mem, 2)); err == nil || !strings.Contains(err.Error(), "/data/checkpoint is missing") {
		t.Fatalf("open: %v", err)
	}
	if names, _ := mem.List("/data/logs"); len(names) != 1 {
		t.Errorf("the data is gone: %v", names)
	}
}

// A checkpoint that fails is tried again in a while, not for every append that
// would like one.
func TestFailingCheckpointIsNotTriedForEveryAppend(t *testing.T) {
	t.Parallel()
	faulty := vfs.NewFaulty(vfs.NewMem())
	opt := testOptions(faulty, 1)
	opt.CheckpointBytes = 1 // every append asks
	s, _, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	l := createLog(t, s, 0)
	rule := faulty.Add(vfs.Rule{Op: vfs.OpWrite, Name: "*.log", Err: vfs.ErrNoSpace})
	begin := time.Now()
	for i := range 200 {
		mustSubmit(t, s, Append(l, batchOf(int64(i), fmt.Sprint(i))))
	}
	if most := 2 + int(time.Since(begin)/retryFull); faulty.Hits(rule) > most {
		t.Errorf("%d tries in %v", faulty.Hits(rule), time.Since(begin))
	}
	faulty.Clear()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
