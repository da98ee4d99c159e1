package vfs

import (
	"path/filepath"
	"testing"
)

func newShadow(t *testing.T, base FS, dir string) (FS, string) {
	t.Helper()
	s, err := NewShadow(base, dir)
	must(t, err)
	return s, dir
}

// Whatever is done to the shadow, the disk below stays as it was, and what was
// not changed is read from there.
func TestShadowLeavesTheDiskBelowAlone(t *testing.T) {
	t.Parallel()
	for name, base := range map[string]struct {
		fs  FS
		dir string
	}{"OS": {OS{}, filepath.ToSlash(t.TempDir())}, "Mem": {NewMem(), "/d"}} {
		dir := base.dir
		must(t, base.fs.MkdirAll(dir+"/sub/deep"))
		big := make([]byte, 3*shadowPage+100)
		for i := range big {
			big[i] = byte(i % 251)
		}
		write(t, base.fs, dir+"/big", string(big)).Close()
		write(t, base.fs, dir+"/sub/keep", "keep").Close()
		write(t, base.fs, dir+"/sub/deep/gone", "gone").Close()
		tree := func(fs FS) string {
			return content(t, fs, dir+"/big") + content(t, fs, dir+"/sub/keep") + content(t, fs, dir+"/sub/deep/gone")
		}
		before := tree(base.fs)
		s, _ := newShadow(t, base.fs, dir)
		if tree(s) != before {
			t.Fatalf("%s: a fresh shadow does not show what is below", name)
		}
		f, err := s.Open(dir + "/big")
		must(t, err)
		_, err = f.WriteAt([]byte("XYZ"), shadowPage-1)
		must(t, err)
		must(t, f.Truncate(2*shadowPage+50))
		must(t, f.Truncate(2*shadowPage+60)) // what was cut does not come back
		must(t, s.RemoveAll(dir+"/sub/deep"))
		must(t, s.Rename(dir+"/sub/keep", dir+"/sub/kept"))
		must(t, ReplaceFile(s, dir+"/sub/new", []byte("new")))
		want := string(big[:shadowPage-1]) + "XYZ" + string(big[shadowPage+2:2*shadowPage+50]) + string(make([]byte, 10))
		if got := content(t, s, dir+"/big"); got != want {
			t.Errorf("%s: %d bytes are not the %d that were written", name, len(got), len(want))
		}
		if names, err := s.List(dir + "/sub"); err != nil || len(names) != 2 || names[0] != "kept" || names[1] != "new" {
			t.Errorf("%s: %v, %v", name, names, err)
		}
		if tree(base.fs) != before {
			t.Errorf("%s: the disk below was changed", name)
		}
		if names, err := base.fs.List(dir + "/sub"); err != nil || len(names) != 2 || names[0] != "deep" {
			t.Errorf("%s: below: %v, %v", name, names, err)
		}
	}
}
