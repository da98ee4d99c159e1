package plog

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

var crashMutant = flag.String("crash.mutant", "", "one of the mistakes of TestMutants, for TestCrash to find")

// mutants are mistakes that TestCrash has to find: syncs that are left out or
// come too late, things that are shown too early.
var mutants = map[string]struct {
	// dropSync: files whose syncs do nothing. lateSync: files whose syncs are
	// done with the next write only.
	dropSync, lateSync string
	noSyncDir          bool
	// noSyncAll: the sync of the whole file system does nothing.
	noSyncAll bool
	// early: the high watermark does not wait for the flush.
	early bool
}{
	"wal-sync":            {dropSync: "*.wal"},
	"wal-sync-late":       {lateSync: "*.wal"}, // an early acknowledgement
	"segment-sync":        {dropSync: "*.log"},
	"checkpoint-sync":     {dropSync: "checkpoint.tmp"},
	"directory-sync":      {noSyncDir: true},
	"volume-sync":         {noSyncAll: true},
	"early-highwatermark": {early: true},
}

// TestMutants shows that TestCrash bites: with each of the mistakes it fails.
func TestMutants(t *testing.T) {
	t.Parallel()
	if *crashMutant != "" {
		t.Skip("this is a mutant")
	}
	for name := range mutants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestCrash$", "-crash.mutant", name, "-crash.seeds", "60", "-test.timeout", "50s")
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatal("TestCrash does not find it")
			}
			if !strings.Contains(string(out), "seed ") || strings.Contains(string(out), "panic:") {
				t.Errorf("it fails, but not with a finding: %v\n%s", err, out)
			}
		})
	}
}

// crashDisk is the disk of TestCrash, with the mistake that is asked for.
func crashDisk(fs vfs.FS) vfs.FS {
	if *crashMutant == "" {
		return fs
	}
	m := mutants[*crashMutant]
	return mutantFS{FS: fs, dropSync: m.dropSync, lateSync: m.lateSync, noSyncDir: m.noSyncDir, noSyncAll: m.noSyncAll}
}

// crashSubmitted is called after each Submit of TestCrash.
func crashSubmitted(s *Store) {
	if *crashMutant == "" || !mutants[*crashMutant].early {
		return
	}
	for _, l := range s.Logs() {
		raise(&l.hw, l.End())
	}
}

type mutantFS struct {
	vfs.FS
	dropSync, lateSync string
	noSyncDir          bool
	noSyncAll          bool
}

func (m mutantFS) Create(name string) (vfs.File, error) { return m.file(name, m.FS.Create) }
func (m mutantFS) Open(name string) (vfs.File, error)   { return m.file(name, m.FS.Open) }

func (m mutantFS) file(name string, open func(string) (vfs.File, error)) (vfs.File, error) {
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	drop, _ := path.Match(m.dropSync, path.Base(name))
	late, _ := path.Match(m.lateSync, path.Base(name))
	if !drop && !late {
		return f, nil
	}
	return &mutantFile{File: f, late: late}, nil
}

func (m mutantFS) SyncDir(name string) error {
	if m.noSyncDir {
		return nil
	}
	return m.FS.SyncDir(name)
}

// OpenVolume is of a file system whose Sync does nothing. The other mistakes are
// made file by file, and must not be put right by a sync of all.
func (m mutantFS) OpenVolume(name string) (vfs.Volume, error) {
	if !m.noSyncAll {
		return nil, errors.ErrUnsupported
	}
	v, err := m.FS.OpenVolume(name)
	return lazyVolume{v}, err
}

type lazyVolume struct{ vfs.Volume }

func (lazyVolume) Sync(int64) error { return nil }

// mutantFile does not sync, or syncs late.
type mutantFile struct {
	vfs.File
	late bool
	mu   sync.Mutex
	owed bool
}

func (f *mutantFile) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.owed = f.late
	return nil
}

func (f *mutantFile) WriteAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	owed := f.owed
	f.owed = false
	f.mu.Unlock()
	if owed {
		if err := f.File.Sync(); err != nil {
			return 0, err
		}
	}
	return f.File.WriteAt(p, off)
}
