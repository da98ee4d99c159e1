package plog

import (
	"errors"
	"syscall"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// A checkpoint and the flusher may sync a segment at about the same time, and Linux
// tells only one of them that what both have written is lost.
func TestFailedSyncIsToldToAllWhoHaveWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		ends bool // for the file, for ever
	}{{"broken", syscall.EIO, true}, {"full", vfs.ErrNoSpace, false}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			faulty := vfs.NewFaulty(vfs.NewMem())
			files := newOpenFiles(8)
			defer files.closeAll()
			open := func(name string, opener func(string) (vfs.File, error)) *openFile {
				f, err := files.open(name, opener)
				if err != nil {
					t.Fatal(err)
				}
				return f
			}
			checkpoint, flusher := open("a", faulty.Create), open("a", faulty.Open)
			other := open("b", faulty.Create)
			for _, f := range []*openFile{checkpoint, flusher, other} {
				if _, err := f.WriteAt([]byte("x"), 0); err != nil {
					t.Fatal(err)
				}
			}
			faulty.Add(vfs.Rule{Op: vfs.OpSync, Name: "a", Err: c.err, Times: 1})
			if err := checkpoint.Sync(); !errors.Is(err, c.err) {
				t.Fatalf("the sync that fails says %v", err)
			}
			files.done(checkpoint)
			if err := flusher.Sync(); !errors.Is(err, c.err) {
				t.Errorf("what the flusher had written is lost, and its sync says %v", err)
			}
			again := open("a", faulty.Open) // before the flusher is done with it
			if err := again.Sync(); errors.Is(err, c.err) != c.ends {
				t.Errorf("who opens the file after it is told %v", err)
			}
			if err := other.Sync(); err != nil {
				t.Errorf("who syncs another file after it is told %v", err)
			}
			files.done(again)
			files.done(flusher)
			files.done(other)
			files.forget("a")
			anew := open("a", faulty.Create)
			if err := anew.Sync(); err != nil {
				t.Errorf("who has made the file anew is told %v", err)
			}
			files.done(anew)
		})
	}
}
