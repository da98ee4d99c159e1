package wal

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatdev/leat/internal/vfs"
)

// fill appends admitted data until there is no room for more, and returns what
// it appended.
func fill(t testing.TB, w *WAL, size int) (n int, full bool) {
	t.Helper()
	v := strings.Repeat("x", size)
	for ; n < 1000; n++ {
		w.mu.Lock()
		all := w.files.count == w.opt.MaxFiles
		w.mu.Unlock()
		ctx, cancel := context.WithCancel(t.Context())
		waits := make(chan bool)
		got := make(chan error, 1)
		var release func()
		go func() {
			var err error
			release, err = w.WaitRoom(watched{ctx, waits}, size+100)
			got <- err
		}()
		select {
		case err := <-got:
			cancel()
			if err != nil {
				if !errors.Is(err, ErrFull) {
					t.Fatalf("after %d: %v", n, err)
				}
				return n, true
			}
			put(t, w, batchFrame(0, int64(n), v))
			release()
		case <-waits:
			cancel()
			if err := within(t, got, "the one who waits"); !errors.Is(err, context.Canceled) {
				t.Fatalf("after %d: %v", n, err)
			}
			if all {
				return n, false
			}
			n-- // it only waits for the next file
		}
	}
	t.Fatal("there is always room")
	return n, false
}

// watched is a context that says when somebody begins to wait.
type watched struct {
	context.Context
	waits chan bool
}

func (w watched) Err() error {
	if err := w.Context.Err(); err != nil {
		return err
	}
	// WaitRoom looks just before it waits.
	select {
	case w.waits <- true:
		<-w.Done()
		return w.Context.Err()
	case <-w.Done():
		return w.Context.Err()
	}
}

// At its bound the log takes no more data, asks for a checkpoint, and goes on
// when that frees files; what was refused to wait took nothing.
func TestBackPressureUntilFree(t *testing.T) {
	t.Parallel()
	crowded := make(chan bool, 1)
	mem := vfs.NewMem()
	w := openWAL(t, mem, func(o *Options) { o.Crowded = func() { signal(crowded) } })
	defer w.Close()
	n, full := fill(t, w, 3000)
	if full || n < 20 || n > 4*testFile/4096 {
		t.Fatalf("%d groups were taken, full %v", n, full)
	}
	for len(crowded) > 0 {
		<-crowded
	}
	// What is kept back is for those who do not wait.
	mustEnqueue(t, w, batchFrame(0, int64(n), "a commit"))
	waiting := make(chan error, 1)
	go func() {
		release, err := w.WaitRoom(context.Background(), 3000)
		if err == nil {
			release()
		}
		waiting <- err
	}()
	within(t, crowded, "the call for a checkpoint")
	quiet(t, waiting, "admitted before there was room")
	durable(t, w, w.Last())
	w.Free(w.Durable())
	if err := within(t, waiting, "room"); err != nil {
		t.Fatal(err)
	}
	if names, _ := mem.List(testDir); len(names) != 4 {
		t.Errorf("files: %v", names)
	}
	if w.Live() != 0 {
		t.Errorf("%d bytes count as live", w.Live())
	}
}

// Whoever gives room back that he did not use wakes those who wait for it.
func TestRoomGivenBackIsOffered(t *testing.T) {
	t.Parallel()
	crowded := make(chan bool, 1)
	w := openWAL(t, vfs.NewMem(), func(o *Options) { o.MaxFiles = 2; o.Crowded = func() { signal(crowded) } })
	defer w.Close()
	put(t, w, batchFrame(0, 0, "a"))
	grown(w, 2)
	var releases []func()
	for range 3 {
		release, err := w.WaitRoom(patience(t), 16<<10)
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, release)
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := w.WaitRoom(context.Background(), 16<<10)
		waiting <- err
	}()
	within(t, crowded, "the one who waits")
	for len(crowded) > 0 {
		<-crowded
	}
	quiet(t, waiting, "admitted into room that others hold")
	for _, release := range releases {
		release()
	}
	if err := within(t, waiting, "room"); err != nil {
		t.Fatal(err)
	}
}

func signal(ch chan bool) {
	select {
	case ch <- true:
	default:
	}
}

// grown waits until the log has so many files.
func grown(w *WAL, files int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.files.count < files {
		w.makeAhead()
		w.room.Wait()
	}
}

// A unit that was admitted fits: what is lost at the ends of files is counted
// with its own size.
func TestWhatWasAdmittedFits(t *testing.T) {
	t.Parallel()
	for before := 30; before < 42; before++ { // the first file is full, the second partly
		w := openWAL(t, vfs.NewMem(), func(o *Options) { o.MaxFiles = 2; o.FileSize = 128 << 10 })
		put(t, w, createFrame(0, "t"))
		grown(w, 2)
		for i := range before - 1 {
			p, err := w.Enqueue([]*Frame{batchFrame(0, int64(i), strings.Repeat("v", 2<<10))}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			durable(t, w, p)
		}
		size := 50 << 10
		ctx, cancel := context.WithCancel(t.Context())
		waits := make(chan bool, 1)
		go func() {
			<-waits
			cancel() // no room: nothing to be seen
		}()
		release, err := w.WaitRoom(watched{ctx, waits}, size)
		if err == nil {
			if _, err := w.Enqueue([]*Frame{batchFrame(0, 99, strings.Repeat("w", size-100))}, nil, nil); err != nil {
				t.Errorf("after %d groups: admitted, and then %v", before, err)
			}
			release()
		} else if ctx.Err() == nil {
			t.Errorf("after %d groups: %v", before, err)
		}
		cancel()
		w.Close()
	}
}

// A unit that could never fit is an error of its own, not a wait.
func TestTooLargeForTheLog(t *testing.T) {
	t.Parallel()
	w := openWAL(t, vfs.NewMem())
	defer w.Close()
	if _, err := w.WaitRoom(t.Context(), testFile); err == nil || errors.Is(err, ErrFull) {
		t.Errorf("room: %v", err)
	}
	if _, err := w.Enqueue([]*Frame{batchFrame(0, 0, strings.Repeat("v", testFile))}, nil, nil); err == nil || errors.Is(err, ErrFull) {
		t.Errorf("enqueue: %v", err)
	}
	put(t, w, batchFrame(0, 0, "fits"))
}

// Without Admit the log fills to its end and then refuses, and the refusal
// breaks nothing: the flusher never stands before a group that has no place.
func TestCommitsFillTheReserveAndAreRefusedThen(t *testing.T) {
	t.Parallel()
	for _, size := range []int{10, 5000, 20000} {
		mem := vfs.NewMem()
		w := openWAL(t, mem)
		n := 0
		var last Pos
		for ; ; n++ {
			p, err := w.Enqueue([]*Frame{batchFrame(0, int64(n), strings.Repeat("c", size))}, nil, nil)
			if errors.Is(err, ErrFull) {
				if names, _ := mem.List(testDir); len(names) == 4 {
					break
				}
				n-- // the next file is being made
				durable(t, w, max(last, 1))
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			last = p
		}
		durable(t, w, last)
		if least := 4 * testFile / 3 / align(size+200, blockSize); n < least {
			t.Errorf("%d bytes: only %d of at least %d fitted", size, n, least)
		}
		w.Free(w.Durable())
		put(t, w, batchFrame(0, int64(n), "goes on"))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A full disk refuses data at once (it does not let producers hang), leaves the
// log whole, and is over by itself when there is room again: nobody has to
// commit or checkpoint for that.
func TestFullDiskRefusesAndComesBackByItself(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	mem.SetSpace(testFile + 8192)
	w := openWAL(t, mem)
	defer w.Close()
	n, full := fill(t, w, 2000)
	if !full || n == 0 {
		t.Fatalf("%d groups were taken, full %v", n, full)
	}
	w.Free(w.Durable()) // a checkpoint has nothing more to do from here on
	for {
		// The first one may be let in: whether the disk still is full is found
		// out by trying.
		release, err := w.WaitRoom(patience(t), 2000)
		if err != nil {
			if !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			break
		}
		put(t, w, batchFrame(0, int64(n), strings.Repeat("x", 1900)))
		release()
		n++
	}
	mem.SetSpace(1 << 30)
	ctx := patience(t)
	for {
		release, err := w.WaitRoom(ctx, 2000)
		if err == nil {
			release()
			break
		}
		if !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
		if ctx.Err() != nil {
			t.Fatal("data is refused for ever")
		}
	}
	put(t, w, batchFrame(0, int64(n), "goes on"))
	if got := len(mustScan(t, mem, 0).Groups); got == 0 {
		t.Error("nothing is there")
	}
}

// Memory that is kept for groups to come can be given up at any time: what is in use
// stays.
func TestReleaseIdle(t *testing.T) {
	t.Parallel()
	w := openWAL(t, vfs.NewMem())
	f := batchFrame(1, 0, "kept")
	durable(t, w, mustEnqueue(t, w, f))
	w.ReleaseIdle()
	durable(t, w, mustEnqueue(t, w, batchFrame(1, 1, "another")))
	if got := describe(f); got != "1(1,0,kept)" {
		t.Errorf("a batch in use became %s", got)
	}
	f.Release()
	w.ReleaseIdle()
	if n := w.Memory(); n != chunkSize {
		t.Errorf("%d bytes are in use, want one chunk with the batch that is", n)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(w.pool.free); n != 0 {
		t.Errorf("%d chunks are kept", n)
	}
}

// Those who append commits wait for a checkpoint that is slow, but not for ever, and
// not for a disk that is full.
func TestCommitsWaitForACheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewFaulty(vfs.NewMem())
		w := openWAL(t, disk, func(o *Options) { o.FileSize, o.MaxFiles = 64<<10, 2 })
		var last Pos
		for n := 0; ; n++ {
			synctest.Wait() // the next file is made, if it is to be
			if n > 1000 {
				t.Fatal("there is always room")
			}
			p, err := w.Enqueue([]*Frame{batchFrame(0, int64(n), "commit")}, nil, nil)
			if errors.Is(err, ErrFull) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			durable(t, w, p)
			last = p
		}
		began := time.Now()
		w.WaitReserve(time.Second, 100)()
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("without a checkpoint it waits for %v", waited)
		}
		got := make(chan error, 1)
		go func() {
			release := w.WaitReserve(time.Hour, 100)
			defer release()
			_, err := w.Enqueue([]*Frame{batchFrame(0, 5000, "commit")}, nil, nil)
			got <- err
		}()
		synctest.Wait()
		if len(got) > 0 {
			t.Fatal("it does not wait:", <-got)
		}
		w.Free(last)
		if err := <-got; err != nil {
			t.Error("after the checkpoint:", err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if w.reserved != 0 {
			t.Errorf("%d bytes stay reserved", w.reserved)
		}
	})
}
