package wal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// While one sync runs everybody else gathers: one more sync is enough for all.
func TestGroupsGatherWhileAFlushRuns(t *testing.T) {
	t.Parallel()
	faulty := vfs.NewFaulty(vfs.NewMem())
	w := openWAL(t, faulty)
	gate := faulty.Gate(vfs.OpSync, "*.wal")
	first := mustEnqueue(t, w, batchFrame(0, 0, "first"))
	within(t, gate.Arrived(), "the first sync")
	faulty.Trace(vfs.OpSync | vfs.OpWrite)
	var last Pos
	for i := range 40 {
		last = mustEnqueue(t, w, batchFrame(i%5, int64(1+i), "next"))
	}
	if first >= last {
		t.Fatalf("groups %d and %d", first, last)
	}
	gate.Open()
	durable(t, w, last)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	syncs, writes := 0, 0
	for _, l := range faulty.Lines() {
		switch {
		case strings.HasPrefix(l, "sync /wal/00000001.wal"):
			syncs++
		case strings.HasPrefix(l, "write /wal/00000001.wal"):
			writes++
		}
	}
	// The first sync is in the trace, too: it ended after the trace began.
	if syncs != 2 || writes > 5 { // groups are at most an eighth of the file
		t.Errorf("%d syncs and %d writes: %v", syncs, writes, faulty.Lines())
	}
}

// An idle log flushes at once: nobody has to come by, no timer.
func TestALoneFrameIsFlushedAtOnce(t *testing.T) {
	t.Parallel()
	w := openWAL(t, vfs.NewMem())
	defer w.Close()
	done := make(chan error, 1)
	if _, err := w.Enqueue([]*Frame{batchFrame(0, 0, "a")}, nil, func(err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	if err := within(t, done, "the flush"); err != nil {
		t.Fatal(err)
	}
}

// What is written is told before the sync, what is durable only after it.
func TestWrittenBeforeTheSyncDurableAfterIt(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	faulty := vfs.NewFaulty(mem)
	w := openWAL(t, faulty)
	defer w.Close()
	writes := faulty.Gate(vfs.OpWrite, "*.wal")
	syncs := faulty.Gate(vfs.OpSync, "*.wal")
	p := mustEnqueue(t, w, batchFrame(0, 0, "a"))
	written, durable := make(chan error, 1), whenDurable(w, p)
	w.WhenWritten(p, func(err error) { written <- err })
	within(t, writes.Arrived(), "the write")
	quiet(t, written, "told as written before the write")
	writes.Open()
	if err := within(t, written, "written"); err != nil {
		t.Fatal(err)
	}
	within(t, syncs.Arrived(), "the sync")
	quiet(t, durable, "told as durable before the sync")
	if w.Durable() >= p {
		t.Errorf("durable up to %d", w.Durable())
	}
	if got := story(mustScan(t, mem.Kill(), 0)); got != "1:1(0,0,a)" {
		t.Errorf("written, and after a kill there is %q", got)
	}
	if got := story(mustScan(t, mem.Crash(vfs.KeepNone, 1), 0)); got != "" {
		t.Errorf("not synced, and after a loss of power there is %q", got)
	}
	syncs.Open()
	if err := within(t, durable, "durable"); err != nil {
		t.Fatal(err)
	}
	if got := story(mustScan(t, mem.Crash(vfs.KeepNone, 1), 0)); got != "1:1(0,0,a)" {
		t.Errorf("durable, and after a loss of power there is %q", got)
	}
}

// Frames come back in the order of the calls, and those of one call together.
func TestOrderAndUnits(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	w := openWAL(t, mem)
	var told []string
	var mu sync.Mutex
	var last Pos
	var want []string
	for i := range 100 {
		fs := []*Frame{batchFrame(1, int64(i), fmt.Sprint("a", i)), batchFrame(2, int64(i), fmt.Sprint("b", i))}
		want = append(want, describe(fs[0]), describe(fs[1]))
		p, err := w.Enqueue(fs, nil, func(err error) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprint(i, err))
		})
		if err != nil {
			t.Fatal(err)
		}
		if p < last {
			t.Fatalf("group %d after %d", p, last)
		}
		last = p
	}
	durable(t, w, last)
	w.Close()
	if len(told) != 100 || told[0] != "0 <nil>" || told[99] != "99 <nil>" || !slices.IsSortedFunc(told, func(a, b string) int { return len(a) - len(b) }) {
		t.Errorf("told %v", told)
	}
	var got []string
	for _, g := range mustScan(t, mem, 0).Groups {
		if len(g.Frames)%2 != 0 {
			t.Errorf("group %d tears a unit: %d frames", g.Seq, len(g.Frames))
		}
		for i := range g.Frames {
			got = append(got, describe(&g.Frames[i]))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d frames, want %d: %.300v", len(got), len(want), got)
	}
}

// Who asks late must not be told before those who made the group have been:
// else an acknowledgement could overtake the high watermark.
func TestDurableIsToldAfterTheGroupsOwnCallbacks(t *testing.T) {
	t.Parallel()
	w := openWAL(t, vfs.NewMem())
	defer w.Close()
	inside, leave := make(chan bool), make(chan bool)
	p, err := w.Enqueue([]*Frame{batchFrame(0, 0, "a")}, nil, func(error) {
		close(inside)
		<-leave
	})
	if err != nil {
		t.Fatal(err)
	}
	within(t, inside, "the callback")
	late := whenDurable(w, p)
	quiet(t, late, "told while the group's own callback runs")
	if w.Durable() >= p {
		t.Error("counts as durable while the group's own callback runs")
	}
	close(leave)
	if err := within(t, late, "the late one"); err != nil {
		t.Fatal(err)
	}
}

// To wait for a group costs no group, however large it is.
func TestWaitingMakesNoGroup(t *testing.T) {
	t.Parallel()
	faulty := vfs.NewFaulty(vfs.NewMem())
	w := openWAL(t, faulty)
	defer w.Close()
	gate := faulty.Gate(vfs.OpWrite, "*.wal")
	put := mustEnqueue(t, w, batchFrame(0, 0, "blocks the flusher"))
	within(t, gate.Arrived(), "the write")
	p := mustEnqueue(t, w, batchFrame(0, 1, strings.Repeat("v", testFile/4))) // above the group limit
	told := []<-chan error{whenDurable(w, put), whenDurable(w, p), whenDurable(w, p)}
	if last := w.Last(); last != p {
		t.Errorf("waiting for group %d has made group %d", p, last)
	}
	gate.Open()
	for _, ch := range told {
		if err := within(t, ch, "a waiter"); err != nil {
			t.Error(err)
		}
	}
}

// syncer is a file beside the log, or two names of one.
type syncer struct{ file *sideFile }

type sideFile struct {
	mu          sync.Mutex
	syncs, done int
	err         error
}

func (s syncer) Sync() error {
	s.file.mu.Lock()
	defer s.file.mu.Unlock()
	s.file.syncs++
	return s.file.err
}

func (s syncer) Done() {
	s.file.mu.Lock()
	defer s.file.mu.Unlock()
	s.file.done++
}

// Files that a group refers to are synced before it, once a flush, and given
// back as often as they were taken, however the flush ends.
func TestFilesBesideAGroupAreSyncedFirstAndGivenBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		relaxed bool
		err     error
		syncs   int
	}{{"synced", false, nil, 1}, {"relaxed", true, nil, 0}, {"failing", false, syscall.EIO, 1}} {
		t.Run(c.name, func(t *testing.T) {
			mem := vfs.NewMem()
			faulty := vfs.NewFaulty(mem)
			w := openWAL(t, faulty, func(o *Options) { o.Relaxed = c.relaxed })
			gate := faulty.Gate(vfs.OpWrite, "*.wal")
			blocker := mustEnqueue(t, w, batchFrame(0, 0, "blocks the flusher"))
			within(t, gate.Arrived(), "the first write")
			file := &sideFile{err: c.err}
			var last Pos
			for i := range 3 {
				var err error
				if last, err = w.Enqueue([]*Frame{batchFrame(1, int64(i), "x")}, []Syncer{syncer{file}}, nil); err != nil {
					t.Fatal(err)
				}
			}
			gate.Open()
			durable(t, w, blocker)
			if err := <-whenDurable(w, last); !errors.Is(err, c.err) {
				t.Errorf("%v", err)
			}
			w.Close()
			if file.syncs != c.syncs || file.done != 3 {
				t.Errorf("%d syncs, given back %d times", file.syncs, file.done)
			}
			if got := story(mustScan(t, mem, 1)); c.err != nil && got != "" {
				t.Errorf("a group was written whose file could not be synced: %s", got)
			}
		})
	}
}

// The first failure is the last: every waiter is told, nothing is tried again,
// nothing is taken in, also not when the disk is well again.
func TestFailureIsFinal(t *testing.T) {
	t.Parallel()
	for _, op := range []vfs.Op{vfs.OpWrite, vfs.OpSync} {
		mem := vfs.NewMem()
		faulty := vfs.NewFaulty(mem)
		w := openWAL(t, faulty)
		put(t, w, batchFrame(0, 0, "good"))
		gate := faulty.Gate(op, "*.wal")
		rule := faulty.Add(vfs.Rule{Op: op, Name: "00000001.wal", Err: syscall.EIO, Times: 1})
		p := mustEnqueue(t, w, batchFrame(0, 1, "lost"))
		within(t, gate.Arrived(), "the operation that fails")
		q := mustEnqueue(t, w, batchFrame(0, 2, "behind it"))
		waiters := []<-chan error{whenDurable(w, p), whenDurable(w, q), whenDurable(w, p)}
		gate.Open()
		for i, ch := range waiters {
			if err := within(t, ch, "a waiter"); !errors.Is(err, syscall.EIO) {
				t.Errorf("waiter %d: %v", i, err)
			}
		}
		faulty.Clear()
		if faulty.Hits(rule) != 1 {
			t.Errorf("the operation failed %d times", faulty.Hits(rule))
		}
		if _, err := w.Enqueue([]*Frame{batchFrame(0, 3, "late")}, nil, nil); !errors.Is(err, syscall.EIO) {
			t.Errorf("enqueue: %v", err)
		}
		if _, err := w.WaitRoom(t.Context(), 10); !errors.Is(err, syscall.EIO) {
			t.Errorf("room: %v", err)
		}
		if err := <-whenDurable(w, 1); err != nil {
			t.Errorf("what was durable is not any more: %v", err)
		}
		if err := <-whenDurable(w, q); !errors.Is(err, syscall.EIO) {
			t.Errorf("a late waiter: %v", err)
		}
		if err := w.Close(); !errors.Is(err, syscall.EIO) {
			t.Errorf("close: %v", err)
		}
		if got := story(mustScan(t, mem.Crash(vfs.KeepNone, 0), 0)); got != "1:1(0,0,good)" {
			t.Errorf("the disk holds %q", got)
		}
	}
}

// Fail is for files beside the log: it ends it like a failure of its own.
func TestFailEndsTheLog(t *testing.T) {
	t.Parallel()
	w := openWAL(t, vfs.NewMem())
	put(t, w, batchFrame(0, 0, "good"))
	w.Fail(syscall.EIO)
	if _, err := w.Enqueue([]*Frame{batchFrame(0, 1, "late")}, nil, nil); !errors.Is(err, syscall.EIO) {
		t.Errorf("enqueue: %v", err)
	}
	if err := w.Err(); !errors.Is(err, syscall.EIO) {
		t.Errorf("%v", err)
	}
	w.Close()
}

// Close flushes what is queued, tells everybody, and leaves nobody behind who
// still writes into the directory.
func TestCloseDrains(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	faulty := vfs.NewFaulty(mem)
	w := openWAL(t, faulty)
	gate := faulty.Gate(vfs.OpSync, "00000001.wal")
	p := mustEnqueue(t, w, batchFrame(0, 0, "a"))
	within(t, gate.Arrived(), "the sync")
	q := mustEnqueue(t, w, batchFrame(0, 1, "b"))
	told := []<-chan error{whenDurable(w, p), whenDurable(w, q)}
	closed := make(chan error, 1)
	go func() { closed <- w.Close() }()
	gate.Open()
	if err := within(t, closed, "close"); err != nil {
		t.Fatal(err)
	}
	for _, ch := range told {
		if err := within(t, ch, "a waiter"); err != nil {
			t.Error(err)
		}
	}
	if _, err := w.Enqueue([]*Frame{batchFrame(0, 2, "late")}, nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("enqueue after close: %v", err)
	}
	if _, err := w.WaitRoom(t.Context(), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("room after close: %v", err)
	}
	if got := story(mustScan(t, mem, 0)); got != "1:1(0,0,a) 2:1(0,1,b)" {
		t.Error(got)
	}
}

// The next file is made beside the flusher; Close waits for that, or it would
// go on in a directory that the next process has opened.
func TestCloseWaitsForTheFileThatIsBeingMade(t *testing.T) {
	t.Parallel()
	faulty := vfs.NewFaulty(vfs.NewMem())
	w := openWAL(t, faulty)
	gate := faulty.Gate(vfs.OpAllocate, "00000002.wal")
	put(t, w, batchFrame(0, 0, "a"))
	within(t, gate.Arrived(), "the second file")
	closed := make(chan error, 1)
	go func() { closed <- w.Close() }()
	w.finished.Wait() // the flusher has ended; Close is about to close the files
	w.mu.Lock()
	preparing := w.files.preparing
	w.mu.Unlock()
	if !preparing {
		t.Fatal("the second file is there already")
	}
	quiet(t, closed, "closed while a file is being made")
	gate.Open()
	if err := within(t, closed, "close"); err != nil {
		t.Fatal(err)
	}
	if w.files.preparing {
		t.Error("closed while a file is being made")
	}
}

// Many writers, readers of positions and a checkpointer at once; for -race.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	room := make(chan bool, 1)
	w := openWAL(t, mem, func(o *Options) {
		o.Crowded = func() {
			select {
			case room <- true:
			default:
			}
		}
	})
	stop := make(chan bool)
	var freer sync.WaitGroup
	freer.Go(func() {
		for {
			select {
			case <-room:
				w.Free(w.Durable())
			case <-stop:
				return
			}
		}
	})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 60 {
				f := batchFrame(g, int64(i), strings.Repeat("v", 100*g))
				release, err := w.WaitRoom(t.Context(), len(f.Data))
				if err != nil {
					t.Error(err)
					return
				}
				p, err := w.Enqueue([]*Frame{f}, nil, nil)
				release()
				if err != nil {
					t.Error(err)
					return
				}
				if i%3 == 0 {
					if err := <-whenDurable(w, p); err != nil {
						t.Error(err)
					}
				}
				f.Release()
			}
		})
	}
	wg.Wait()
	close(stop)
	freer.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if m := w.Memory(); m > chunkSize {
		t.Errorf("%d bytes are still in use", m)
	}
}

// meeting is a file whose Sync waits for another's.
type meeting struct {
	arrived chan struct{}
	other   chan struct{}
}

func (m *meeting) Sync() error {
	close(m.arrived)
	<-m.other
	return nil
}

func (m *meeting) Done() {}

// The files beside a group are synced at the same time: each Sync here waits until the
// other's has begun.
func TestFilesBesideAGroupAreSyncedAtTheSameTime(t *testing.T) {
	t.Parallel()
	w := openWAL(t, vfs.NewMem())
	a, b := make(chan struct{}), make(chan struct{})
	p, err := w.Enqueue([]*Frame{batchFrame(0, 0, "x")}, []Syncer{&meeting{a, b}, &meeting{b, a}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	durable(t, w, p)
	w.Close()
}
