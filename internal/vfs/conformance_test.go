package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
)

// Every file system passes the same suite: what a program may rely on.
func TestConformance(t *testing.T) {
	for name, make := range map[string]func(t *testing.T) (FS, string){
		"OS":            func(t *testing.T) (FS, string) { return OS{}, filepath.ToSlash(t.TempDir()) },
		"Mem":           func(t *testing.T) (FS, string) { return memWithDir(t, "/some/dir") },
		"Mem, relative": func(t *testing.T) (FS, string) { return memWithDir(t, "dir") },
		"Faulty OS": func(t *testing.T) (FS, string) {
			return NewFaulty(OS{}), filepath.ToSlash(t.TempDir())
		},
		"Faulty Mem": func(t *testing.T) (FS, string) {
			m, dir := memWithDir(t, "/d")
			return NewFaulty(m), dir
		},
		"Mem after Kill": func(t *testing.T) (FS, string) {
			m, dir := memWithDir(t, "/d")
			return m.(*Mem).Kill(), dir
		},
		"Mem after Crash": func(t *testing.T) (FS, string) {
			m, dir := memWithDir(t, "/d")
			return m.(*Mem).Crash(KeepAll, 1), dir
		},
		"Shadow of OS": func(t *testing.T) (FS, string) { return newShadow(t, OS{}, filepath.ToSlash(t.TempDir())) },
		"Shadow of Mem": func(t *testing.T) (FS, string) {
			m, dir := memWithDir(t, "/d")
			return newShadow(t, m, dir)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range conformance {
				t.Run(c.name, func(t *testing.T) {
					fs, dir := make(t)
					c.run(t, fs, dir)
				})
			}
		})
	}
}

func memWithDir(t *testing.T, dir string) (FS, string) {
	m := NewMem()
	must(t, m.MkdirAll(dir))
	return m, dir
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, fs FS, name string, data string) File {
	t.Helper()
	f, err := fs.Create(name)
	must(t, err)
	_, err = f.WriteAt([]byte(data), 0)
	must(t, err)
	return f
}

func content(t testing.TB, fs FS, name string) string {
	t.Helper()
	f, err := fs.OpenRead(name)
	must(t, err)
	defer f.Close()
	n, err := f.Size()
	must(t, err)
	p := make([]byte, n)
	if _, err := f.ReadAt(p, 0); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return string(p)
}

func names(t testing.TB, fs FS, dir string) []string {
	t.Helper()
	l, err := fs.List(dir)
	must(t, err)
	return l
}

func wantNames(t testing.TB, fs FS, dir string, want ...string) {
	t.Helper()
	if got := names(t, fs, dir); !reflect.DeepEqual(got, append([]string{}, want...)) {
		t.Fatalf("%s holds %q, want %q", dir, got, want)
	}
}

var conformance = []struct {
	name string
	run  func(t *testing.T, f FS, dir string)
}{
	{"write, read, size", func(t *testing.T, f FS, dir string) {
		file := write(t, f, dir+"/a", "hello")
		_, err := file.WriteAt([]byte("J"), 0)
		must(t, err)
		n, err := file.WritevAt([][]byte{[]byte(" wo"), nil, []byte("rld")}, 5)
		if err != nil || n != 6 {
			t.Fatal(n, err)
		}
		must(t, file.Sync())
		p := make([]byte, 20)
		if n, err := file.ReadAt(p, 1); n != 10 || err != io.EOF || string(p[:n]) != "ello world" {
			t.Fatal(n, err, p)
		}
		if n, err := file.ReadAt(p[:3], 4); n != 3 || err != nil {
			t.Fatal(n, err)
		}
		if n, err := file.ReadAt(p, 500); n != 0 || err != io.EOF {
			t.Fatal(n, err)
		}
		must(t, file.Close())
		if err := file.Close(); !errors.Is(err, fs.ErrClosed) {
			t.Error("closed twice:", err)
		}
		if _, err := file.ReadAt(p, 0); !errors.Is(err, fs.ErrClosed) {
			t.Error("read after close:", err)
		}
		if got := content(t, f, dir+"/a"); got != "Jello world" {
			t.Errorf("%q", got)
		}
		info, err := f.Stat(dir + "/a")
		if err != nil || info.Size() != 11 || info.IsDir() || info.Name() != "a" {
			t.Error(info, err)
		}
	}},
	{"holes read as zeros", func(t *testing.T, f FS, dir string) {
		file := write(t, f, dir+"/a", "x")
		_, err := file.WriteAt([]byte("y"), 1<<20)
		must(t, err)
		p := bytes.Repeat([]byte{7}, 10)
		if n, err := file.ReadAt(p, 1<<19); n != 10 || err != nil || !allZero(p) {
			t.Fatal(n, err, p)
		}
		must(t, file.Close())
	}},
	{"create empties, open does not", func(t *testing.T, f FS, dir string) {
		write(t, f, dir+"/a", "old content").Close()
		file, err := f.Open(dir + "/a")
		must(t, err)
		if n, _ := file.Size(); n != 11 {
			t.Error(n)
		}
		must(t, file.Close())
		write(t, f, dir+"/a", "new").Close()
		if got := content(t, f, dir+"/a"); got != "new" {
			t.Errorf("%q", got)
		}
	}},
	{"truncate and allocate", func(t *testing.T, f FS, dir string) {
		file := write(t, f, dir+"/a", "0123456789")
		must(t, file.Truncate(4))
		must(t, file.Truncate(6))
		if got := content(t, f, dir+"/a"); got != "0123\x00\x00" {
			t.Errorf("%q", got)
		}
		must(t, file.Allocate(10_000))
		if n, _ := file.Size(); n != 10_000 {
			t.Error(n)
		}
		must(t, file.Allocate(5)) // never shrinks
		if got := content(t, f, dir+"/a"); len(got) != 10_000 || got[:4] != "0123" || !allZero([]byte(got[4:])) {
			t.Errorf("%d bytes", len(got))
		}
		must(t, file.Close())
	}},
	{"what is missing says so", func(t *testing.T, f FS, dir string) {
		for what, err := range map[string]error{
			"open":     second(f.Open(dir + "/no")),
			"openread": second(f.OpenRead(dir + "/no")),
			"create":   second(f.Create(dir + "/no/a")),
			"remove":   f.Remove(dir + "/no"),
			"rename":   f.Rename(dir+"/no", dir+"/a"),
			"link":     f.Link(dir+"/no", dir+"/a"),
			"list":     second(f.List(dir + "/no")),
			"stat":     second(f.Stat(dir + "/no")),
			"syncdir":  f.SyncDir(dir + "/no"),
		} {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", what, err)
			}
		}
		must(t, f.RemoveAll(dir+"/no"))
		must(t, f.RemoveAll(dir+"/no/more"))
	}},
	{"reading only", func(t *testing.T, f FS, dir string) {
		write(t, f, dir+"/a", "abc").Close()
		file, err := f.OpenRead(dir + "/a")
		must(t, err)
		defer file.Close()
		if _, err := file.WriteAt([]byte("x"), 0); err == nil {
			t.Error("a file opened for reading was written")
		}
		if err := file.Truncate(0); err == nil {
			t.Error("a file opened for reading was cut")
		}
		if got := content(t, f, dir+"/a"); got != "abc" {
			t.Errorf("%q", got)
		}
	}},
	{"names", func(t *testing.T, f FS, dir string) {
		must(t, f.MkdirAll(dir+"/x/y"))
		must(t, f.MkdirAll(dir+"/x/y"))
		write(t, f, dir+"/x/b", "b").Close()
		write(t, f, dir+"/x/a", "a").Close()
		wantNames(t, f, dir+"/x", "a", "b", "y")
		if err := f.Remove(dir + "/x"); err == nil {
			t.Error("a full directory was removed")
		}
		must(t, f.Rename(dir+"/x/a", dir+"/x/b"))
		wantNames(t, f, dir+"/x", "b", "y")
		if got := content(t, f, dir+"/x/b"); got != "a" {
			t.Errorf("%q", got)
		}
		must(t, f.Rename(dir+"/x", dir+"/z"))
		wantNames(t, f, dir, "z")
		must(t, f.Rename(dir+"/z/b", dir+"/b"))
		must(t, f.Remove(dir+"/z/y"))
		must(t, f.SyncDir(dir))
		wantNames(t, f, dir+"/z")
		must(t, f.RemoveAll(dir+"/z"))
		wantNames(t, f, dir, "b")
		if err := f.MkdirAll(dir + "/b/c"); err == nil {
			t.Error("a directory was made in a file")
		}
		if _, err := f.List(dir + "/b"); err == nil {
			t.Error("a file was listed")
		}
		if _, err := f.Create(dir); err == nil {
			t.Error("a directory was opened as a file")
		}
		info, err := f.Stat(dir)
		if err != nil || !info.IsDir() {
			t.Error(info, err)
		}
	}},
	{"a removed file lives until it is closed", func(t *testing.T, f FS, dir string) {
		file := write(t, f, dir+"/a", "still here")
		must(t, f.Remove(dir+"/a"))
		p := make([]byte, 10)
		if _, err := file.ReadAt(p, 0); err != nil || string(p) != "still here" {
			t.Error(err, string(p))
		}
		must(t, file.Close())
		wantNames(t, f, dir)
	}},
	{"links", func(t *testing.T, f FS, dir string) {
		file := write(t, f, dir+"/a", "one")
		must(t, f.Link(dir+"/a", dir+"/b"))
		if err := f.Link(dir+"/a", dir+"/b"); !errors.Is(err, fs.ErrExist) {
			t.Error(err)
		}
		_, err := file.WriteAt([]byte("two"), 0)
		must(t, err)
		must(t, file.Close())
		must(t, f.Remove(dir+"/a"))
		if got := content(t, f, dir+"/b"); got != "two" {
			t.Errorf("%q", got)
		}
	}},
	{"locks", func(t *testing.T, f FS, dir string) {
		l, err := f.Lock(dir + "/lock")
		must(t, err)
		if _, err := f.Lock(dir + "/lock"); !errors.Is(err, ErrLocked) {
			t.Error(err)
		}
		must(t, l.Close())
		l, err = f.Lock(dir + "/lock")
		must(t, err)
		if _, err := f.Hold(dir + "/lock"); !errors.Is(err, ErrLocked) {
			t.Error(err)
		}
		must(t, l.Close())
		before := content(t, f, dir+"/lock")
		l, err = f.Hold(dir + "/lock")
		must(t, err)
		if _, err := f.Lock(dir + "/lock"); !errors.Is(err, ErrLocked) {
			t.Error(err)
		}
		must(t, l.Close())
		if got := content(t, f, dir+"/lock"); got != before {
			t.Errorf("who only looks changed the lock file from %q to %q", before, got)
		}
		if _, err := f.Hold(dir + "/nosuch"); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}},
	{"free space", func(t *testing.T, f FS, dir string) {
		if n, err := f.Free(dir); err != nil || n <= 0 {
			t.Error(n, err)
		}
	}},
	{"concurrent ranges", func(t *testing.T, f FS, dir string) {
		file, err := f.Create(dir + "/a")
		must(t, err)
		defer file.Close()
		const workers, chunk = 8, 700
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for i := range 50 {
					off := int64(i*workers+w) * chunk
					want := bytes.Repeat([]byte{byte(w + 1)}, chunk)
					got := make([]byte, chunk)
					if _, err := file.WriteAt(want, off); err != nil {
						t.Error(err)
					}
					if _, err := file.ReadAt(got, off); err != nil || !bytes.Equal(got, want) {
						t.Error(err, "other bytes at", off)
					}
					if i%10 == 0 {
						if err := file.Sync(); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		wg.Wait()
	}},
	{"random writes as in a slice", func(t *testing.T, f FS, dir string) {
		rng := rand.New(rand.NewPCG(3, 4))
		file, err := f.Create(dir + "/a")
		must(t, err)
		defer file.Close()
		var model []byte
		for i := range 500 {
			switch rng.IntN(10) {
			case 0:
				n := rng.IntN(30_000)
				must(t, file.Truncate(int64(n)))
				model = append(model, make([]byte, max(0, n-len(model)))...)[:n]
			case 1:
				must(t, file.Sync())
			default:
				off := rng.IntN(25_000)
				p := bytes.Repeat([]byte{byte(i % 5)}, rng.IntN(6000)) // zeros, too
				_, err := file.WriteAt(p, int64(off))
				must(t, err)
				if len(p) > 0 {
					model = append(model, make([]byte, max(0, off+len(p)-len(model)))...)
				}
				copy(model[min(off, len(model)):], p)
			}
			// A shrunk model must not bring old bytes back when it grows.
			clear(model[len(model):cap(model)])
			if got := content(t, f, dir+"/a"); got != string(model) {
				t.Fatalf("step %d: %d bytes, want %d, or others", i, len(got), len(model))
			}
		}
	}},
}

func second[T any](_ T, err error) error { return err }

func TestMemPathsAreClean(t *testing.T) {
	m := NewMem()
	must(t, m.MkdirAll("a/b"))
	write(t, m, "./a/b/../c", "x").Close()
	if got := content(t, m, "/a/c"); got != "x" {
		t.Errorf("%q", got)
	}
	wantNames(t, m, "/", "a")
	wantNames(t, m, ".", "a")
}

func TestMemSpace(t *testing.T) {
	m := NewMem()
	m.SetSpace(3 * pageSize)
	a := write(t, m, "a", "small")
	if m.Used() != pageSize {
		t.Errorf("one page is %d bytes", m.Used())
	}
	n, err := a.WriteAt(make([]byte, 4*pageSize), 5)
	if !errors.Is(err, ErrNoSpace) || n != 3*pageSize-5 {
		t.Errorf("wrote %d: %v", n, err)
	}
	if free, _ := m.Free("/"); free != 0 {
		t.Errorf("%d bytes free", free)
	}
	if _, err := a.WriteAt([]byte("over what is there"), 0); err != nil {
		t.Error("a full disk still takes writes over what is there:", err)
	}
	if err := a.Allocate(4 * pageSize); !errors.Is(err, ErrNoSpace) {
		t.Error(err)
	}
	m.SetSpace(4 * pageSize)
	must(t, a.Allocate(4*pageSize))
	must(t, a.Truncate(10))
	if m.Used() != pageSize {
		t.Errorf("%d bytes used after a cut", m.Used())
	}
	must(t, m.Remove("a"))
	if m.Used() != pageSize {
		t.Error("an open file has no space any more")
	}
	must(t, a.Close())
	if m.Used() != 0 {
		t.Errorf("%d bytes used by nothing", m.Used())
	}
}

func BenchmarkMemAppendSync(b *testing.B) {
	m := NewMem()
	f, err := m.Create("wal")
	must(b, err)
	p := bytes.Repeat([]byte("x"), 1000)
	for i := range b.N {
		if _, err := f.WriteAt(p, int64(i)*1000%(64<<20)); err != nil {
			b.Fatal(err)
		}
		must(b, f.Sync())
	}
}

func ExampleFaulty() {
	f := NewFaulty(NewMem())
	f.Trace(OpChange)
	file, _ := f.Create("a.log")
	f.Add(Rule{Op: OpSync, Name: "*.log", Times: 1, Err: ErrNoSpace})
	file.WriteAt([]byte("hello"), 0)
	file.Sync()
	file.Sync()
	f.Rename("a.log", path.Join("b.log"))
	for _, line := range f.Lines() {
		fmt.Println(line)
	}
	// Output:
	// create a.log
	// write a.log 0+5
	// sync a.log: sync a.log: no space left on device
	// sync a.log
	// rename a.log b.log
}
