package wal

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/leatdev/leat/internal/vfs"
)

// gather is mustEnqueue for who flushes by itself.
func gather(t testing.TB, w *WAL, f *Frame, done func(error)) Pos {
	t.Helper()
	p, err := w.Gather([]*Frame{f}, nil, done)
	if err != nil {
		t.Fatalf("gather: %v", err)
	}
	return p
}

// What has gathered leaves the flusher asleep. Who calls Flush has it on disk, and
// everybody told, when Flush returns.
func TestFlushIsTheCallersOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		w := openWAL(t, mem)
		defer w.Close()
		synctest.Wait() // the flusher sleeps
		told := 0
		p := gather(t, w, batchFrame(0, 0, "a"), func(err error) {
			if err != nil {
				t.Error(err)
			}
			told++
		})
		late := whenDurable(w, p)
		synctest.Wait()
		quiet(t, late, "flushed before anybody called Flush")
		if got := story(mustScan(t, mem.Kill(), 0)); got != "" {
			t.Errorf("written before anybody called Flush: %s", got)
		}
		w.Flush()
		if told != 1 || len(late) != 1 || w.Durable() != p {
			t.Errorf("after Flush: told %d times, late %d times, durable up to %d", told, len(late), w.Durable())
		}
		if got := story(mustScan(t, mem.Crash(vfs.KeepNone, 1), 0)); got != "1:1(0,0,a)" {
			t.Errorf("flushed, and after a loss of power there is %q", got)
		}
		w.Flush() // of nothing
		durable(t, w, mustEnqueue(t, w, batchFrame(0, 1, "the flusher goes on")))
	})
}

// There is one flush at a time, whoever flushes: who comes meanwhile is not kept, and
// one more flush takes along all who have.
func TestOneFlushAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		faulty := vfs.NewFaulty(vfs.NewMem())
		w := openWAL(t, faulty)
		durable(t, w, mustEnqueue(t, w, batchFrame(0, 0, "the second file is made")))
		synctest.Wait()
		gate := faulty.Gate(vfs.OpSync, "*.wal")
		faulty.Trace(vfs.OpSync)
		first := gather(t, w, batchFrame(0, 1, "first"), nil)
		over := make(chan bool, 1)
		go func() {
			w.Flush()
			over <- true
		}()
		<-gate.Arrived()
		second := gather(t, w, batchFrame(0, 2, "second"), nil)
		w.Flush()
		third := mustEnqueue(t, w, batchFrame(0, 3, "third"))
		synctest.Wait()
		if n := len(gate.Arrived()); n != 0 {
			t.Errorf("%d flushes at once", n+1)
		}
		if w.Durable() >= first {
			t.Errorf("durable up to %d while the sync of %d runs", w.Durable(), first)
		}
		quiet(t, over, "the flush is over while its sync runs")
		gate.Open()
		<-over
		durable(t, w, first)
		durable(t, w, second)
		durable(t, w, third)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(strings.Join(faulty.Lines(), "\n"), "sync /wal/00000001.wal"); n != 2 {
			t.Errorf("%d syncs: %v", n, faulty.Lines())
		}
	})
}

// Close waits for the flush that somebody else makes, and flushes what came meanwhile.
func TestCloseWaitsForAForeignFlush(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		faulty := vfs.NewFaulty(vfs.NewMem())
		w := openWAL(t, faulty)
		synctest.Wait()
		gate := faulty.Gate(vfs.OpSync, "00000001.wal")
		first := whenDurable(w, gather(t, w, batchFrame(0, 0, "a"), nil))
		go w.Flush()
		<-gate.Arrived()
		last := whenDurable(w, gather(t, w, batchFrame(0, 1, "nobody calls Flush for it"), nil))
		closed := make(chan error, 1)
		go func() { closed <- w.Close() }()
		synctest.Wait()
		quiet(t, closed, "closed while a flush runs")
		gate.Open()
		if err := errors.Join(<-closed, <-first, <-last); err != nil {
			t.Error(err)
		}
	})
}

// A flush that fails ends the log, whoever made it.
func TestFailureOfOnesOwnFlush(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		faulty := vfs.NewFaulty(vfs.NewMem())
		w := openWAL(t, faulty)
		synctest.Wait()
		faulty.Add(vfs.Rule{Op: vfs.OpSync, Name: "00000001.wal", Err: syscall.EIO})
		var failed error
		p := gather(t, w, batchFrame(0, 0, "a"), func(err error) { failed = err })
		w.Flush()
		if !errors.Is(failed, syscall.EIO) || w.Durable() >= p {
			t.Errorf("told %v, durable up to %d", failed, w.Durable())
		}
		if _, err := w.Gather([]*Frame{batchFrame(0, 1, "late")}, nil, nil); !errors.Is(err, syscall.EIO) {
			t.Errorf("goes on after a failure: %v", err)
		}
		if err := w.Close(); !errors.Is(err, syscall.EIO) {
			t.Errorf("close: %v", err)
		}
	})
}

// Who has gathered something and then waits for room is not in its own way.
func TestWaitForRoomBehindWhatOneHasGathered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := openWAL(t, vfs.NewMem(), func(o *Options) { o.FileSize = 64 << 20 })
		synctest.Wait()
		value := strings.Repeat("v", 1<<20)
		for n := range maxQueued >> 20 {
			release, err := w.WaitRoom(t.Context(), len(value)+1000)
			if err != nil {
				t.Fatal(err)
			}
			gather(t, w, batchFrame(0, int64(n), value), nil)
			release()
		}
		if w.Durable() != 0 {
			t.Fatalf("durable up to %d before there is anything to wait for", w.Durable())
		}
		release, err := w.WaitRoom(t.Context(), len(value))
		if err != nil {
			t.Fatal(err)
		}
		release()
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// failing is a file whose sync succeeds while somebody else learns that the disk has
// failed.
type failing struct{ w *WAL }

func (f failing) Sync() error { f.w.Fail(syscall.EIO); return nil }
func (failing) Done()         {}

// What a group refers to may be what was lost: it does not count as durable though
// every sync of its own flush has succeeded.
func TestFailureDuringAFlushIsItsFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := openWAL(t, vfs.NewMem())
		defer w.Close()
		var told error
		p, err := w.Gather([]*Frame{batchFrame(0, 0, "a")}, []Syncer{failing{w}}, func(err error) { told = err })
		if err != nil {
			t.Fatal(err)
		}
		w.Flush()
		if !errors.Is(told, syscall.EIO) || w.Durable() >= p {
			t.Errorf("told %v, durable up to %d: position %d is not to be counted on", told, w.Durable(), p)
		}
	})
}
