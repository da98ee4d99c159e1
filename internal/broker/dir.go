package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path"

	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
)

// Dir is a data directory that no server runs on, for those who look at it, mend
// it or copy it. It holds the directory's lock until Close.
type Dir struct {
	// Version is the directory's format, ClusterID the cluster's id, Boots how often
	// it was started: the leader epoch of what was written last.
	Version   int
	ClusterID string
	Boots     int32

	fs   vfs.FS
	path string
	meta meta
	lock io.Closer
}

// LookAt locks a data directory and reads what it is, without changing a byte of
// it. The error says so when it is in use, or no data directory.
func LookAt(fsys vfs.FS, dir string) (*Dir, error) {
	lock, err := fsys.Hold(path.Join(dir, lockName))
	switch {
	case errors.Is(err, vfs.ErrLocked):
		return nil, inUse(dir, err)
	case errors.Is(err, fs.ErrNotExist):
		lock = io.NopCloser(nil) // never started, or the lock file was not copied
	case err != nil:
		return nil, fmt.Errorf("data directory: %w", err)
	}
	m, err := lookMeta(fsys, dir)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &Dir{Version: m.Version, ClusterID: m.ClusterID, Boots: m.Boots, fs: fsys, path: dir, meta: m, lock: lock}, nil
}

func inUse(dir string, err error) error {
	return fmt.Errorf("data directory %s is in use by another Leat: stop that one or choose another directory: %w", dir, err)
}

// lookMeta is readMeta of a directory that must have one.
func lookMeta(fsys vfs.FS, dir string) (meta, error) {
	if _, err := fsys.Stat(path.Join(dir, metaName)); errors.Is(err, fs.ErrNotExist) {
		if _, err := fsys.Stat(path.Join(dir, manifestName)); err == nil {
			return meta{}, isBackup(dir)
		}
		return meta{}, fmt.Errorf("%s has no %s: it is not a Leat data directory", dir, metaName)
	}
	return readMeta(fsys, dir)
}

func isBackup(dir string) error {
	return fmt.Errorf("%s is a backup: make a data directory of it with `leat restore %s DATA-DIR`", dir, dir)
}

// Path returns the directory's path.
func (d *Dir) Path() string { return d.path }

// Close lets go of the directory.
func (d *Dir) Close() error { return d.lock.Close() }

// OpenStore opens the store as a start would: a crash is recovered from, and what
// it changes is changed in the file system given. Whoever only looks gives a
// vfs.Shadow of the directory.
func (d *Dir) OpenStore(fsys vfs.FS, opt plog.Options) (*plog.Store, *plog.Report, error) {
	opt.FS, opt.Dir, opt.Salt, opt.Epoch = fsys, d.path, d.meta.Salt, d.Boots+1
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	return plog.Open(opt)
}

// Start counts a start durably, as a server does before it changes anything: what
// is written after it belongs to a new leader epoch. It takes the lock for good.
func (d *Dir) Start() error {
	if err := d.lock.Close(); err != nil {
		return err
	}
	m, lock, err := openDir(d.fs, d.path)
	if err != nil {
		d.lock = io.NopCloser(nil)
		return err
	}
	d.meta, d.lock, d.Boots = m, lock, m.Boots-1
	return nil
}

// marshal is the JSON form of the small files of a directory.
func marshal(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}
