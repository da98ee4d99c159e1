package wal

import (
	"bytes"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// The first file has its blocks but was never written, so that a start is quick, and each
// sync into it costs more than into another: it is left as soon as there is another, and
// filled before it is used again. Nothing that waited for room goes without.
func TestTheFirstFileIsLeftAndFilled(t *testing.T) {
	t.Parallel()
	const size = 4 << 20
	mem := vfs.NewMem()
	w := openWAL(t, mem, func(o *Options) { o.FileSize = size })
	value := strings.Repeat("v", 100<<10)
	var frames []*Frame
	var last Pos
	write := func(bytes int) {
		t.Helper()
		for range bytes / len(value) {
			f := batchFrame(1, int64(len(frames)), value)
			p := mustEnqueue(t, w, f)
			durable(t, w, p)
			frames, last = append(frames, f), p
			f.Release()
		}
	}
	current := func() (name string, off int64) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.files.cur.name, w.files.off
	}
	write(900 << 10)
	grown(w, 2)
	write(100 << 10)
	first, off := current()
	if !strings.HasSuffix(first, "1.wal") || off < 900<<10 {
		t.Fatalf("at byte %d of %s: left before it has held %d bytes", off, first, sparseMost)
	}
	write(200 << 10)
	second, off := current()
	if second == first || off > 500<<10 {
		t.Fatalf("at byte %d of %s: the first file was not left", off, second)
	}
	if got := mustScan(t, mem, 0); len(got.Groups) != len(frames) || len(got.Damaged) != 0 || got.Torn != 0 {
		t.Errorf("%d groups of %d, damaged %v, torn %d", len(got.Groups), len(frames), got.Damaged, got.Torn)
	}
	cut := last
	grown(w, 3)
	w.Free(cut)
	if err := made(w); err != nil {
		t.Fatal(err)
	}
	if b, err := vfs.ReadFile(mem, first); err != nil || !bytes.Equal(b, make([]byte, size)) {
		t.Errorf("the first file was not filled: %v", err)
	}
	write(9 << 20)
	if now, _ := current(); now != first {
		t.Errorf("in %s: the first file is not used again", now)
	}
	if got := mustScan(t, mem, cut); len(got.Groups) != len(frames)-int(cut) || len(got.Damaged) != 0 {
		t.Errorf("%d groups above %d of %d, damaged %v", len(got.Groups), cut, len(frames), got.Damaged)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// It is not left when what was promised would not fit behind it.
func TestTheFirstFileIsNotLeftInNeed(t *testing.T) {
	t.Parallel()
	const size = 4 << 20
	w := openWAL(t, vfs.NewMem(), func(o *Options) { o.FileSize = size; o.MaxFiles = 2 })
	defer w.Close()
	put(t, w, batchFrame(1, 0, "v"))
	grown(w, 2)
	release, err := w.WaitRoom(patience(t), size/2-groupHeaderSize-frameHeaderSize)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		put(t, w, batchFrame(1, int64(i+1), strings.Repeat("v", 100<<10)))
	}
	w.mu.Lock()
	if w.files.cur.name != "/wal/00000001.wal" {
		t.Errorf("in %s while room is promised", w.files.cur.name)
	}
	w.mu.Unlock()
	release()
	put(t, w, batchFrame(1, 21, "v"))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.files.cur.name != "/wal/00000002.wal" {
		t.Errorf("still in %s", w.files.cur.name)
	}
}

// A file that cannot be filled is given up. While another is there to go on in, that is
// no reason to refuse anybody: nothing would ever take the refusal back.
func TestAFileThatCannotBeFilledIsGivenUp(t *testing.T) {
	t.Parallel()
	faulty := vfs.NewFaulty(vfs.NewMem())
	w := openWAL(t, faulty)
	defer w.Close()
	for i := range 2 * testFile / blockSize { // through the first file, and the second
		put(t, w, batchFrame(1, int64(i), "v"))
		switch i {
		case 0:
			grown(w, 2)
		case testFile / blockSize:
			grown(w, 3)
		}
	}
	faulty.Add(vfs.Rule{Op: vfs.OpSync, Name: "00000001.wal", Err: syscall.EIO})
	w.Free(w.Durable())
	_ = made(w)
	if names, err := faulty.List(testDir); err != nil || slices.Contains(names, "00000001.wal") {
		t.Fatalf("files: %v, %v", names, err)
	}
	release, err := w.WaitRoom(patience(t), 3000)
	if err != nil {
		t.Fatalf("refused with files to go on in: %v", err)
	}
	release()
	put(t, w, batchFrame(1, 99, "v"))
}
