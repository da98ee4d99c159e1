package vfs

import (
	"errors"
	"math"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What was written and named before the sync of a volume is on the disk, all of it.
func TestVolumeSyncCoversFilesAndNames(t *testing.T) {
	t.Parallel()
	m := NewMem()
	v, err := NewFaulty(m).OpenVolume("/d")
	must(t, err)
	must(t, m.MkdirAll("/d/e"))
	write(t, m, "/d/e/a", "one")
	write(t, m, "/d/b", "two")
	must(t, m.Rename("/d/b", "/d/c"))
	if got := names(t, m.Crash(KeepNone, 1), "/"); len(got) > 0 {
		t.Fatalf("before the sync the disk has %v", got)
	}
	must(t, v.Sync(math.MaxInt64))
	write(t, m, "/d/later", "three")
	disk := m.Crash(KeepNone, 1)
	wantNames(t, disk, "/d", "c", "e")
	if a, c := content(t, disk, "/d/e/a"), content(t, disk, "/d/c"); a != "one" || c != "two" {
		t.Errorf("the disk has %q and %q", a, c)
	}
	must(t, v.Close())
}

// A sync of the volume that fails loses what was not synced, and every file of
// which something is lost says so once, whoever asks: only then may another file
// be believed.
func TestFailedVolumeSyncIsToldByEachFile(t *testing.T) {
	t.Parallel()
	m := NewMem()
	f := NewFaulty(m)
	v, err := f.OpenVolume("/")
	must(t, err)
	clean := write(t, f, "/clean", "safe")
	must(t, clean.Sync())
	must(t, f.SyncDir("/"))
	dirty := write(t, f, "/dirty", "gone")
	must(t, f.SyncDir("/"))
	f.Add(Rule{Op: OpSyncAll, Err: syscall.EIO})
	if err := v.Sync(math.MaxInt64); !errors.Is(err, syscall.EIO) {
		t.Fatalf("sync of the volume: %v", err)
	}
	if err := clean.Sync(); err != nil {
		t.Errorf("sync of the clean file: %v", err)
	}
	if err := dirty.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("first sync of the file that lost its pages: %v", err)
	}
	if err := dirty.Sync(); err != nil {
		t.Errorf("second sync of it, which proves nothing: %v", err)
	}
	disk := m.Crash(KeepAll, 1)
	if a, b := content(t, disk, "/clean"), content(t, disk, "/dirty"); a != "safe" || strings.Contains(b, "gone") {
		t.Errorf("the disk has %q and %q", a, b)
	}
}

// The real thing syncs, refuses to wait for others beyond the bound, and where it
// cannot be believed it is not offered.
func TestVolumeOfTheSystem(t *testing.T) {
	t.Parallel()
	dir := filepath.ToSlash(t.TempDir())
	v, err := OS{}.OpenVolume(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	must(t, err)
	write(t, OS{}, dir+"/a", "one")
	must(t, v.Sync(math.MaxInt64))
	if err := v.Sync(-1); !errors.Is(err, ErrBusy) {
		t.Errorf("with no bytes allowed to wait: %v", err)
	}
	must(t, v.Close())
	if err := v.Sync(math.MaxInt64); err == nil {
		t.Error("a closed volume syncs")
	}
}
