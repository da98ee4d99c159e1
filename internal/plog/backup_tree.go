package plog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// treeWriter fills a directory with copies and links, durably.
type treeWriter struct {
	fs   vfs.FS
	root string
	dirs []string // with new names, the root's not among them
	buf  []byte
	// volume syncs all of it at once; nil where each file is synced by itself.
	volume vfs.Volume
}

// newTree fills the directory root, which is there. The caller closes it.
func newTree(fsys vfs.FS, root string) *treeWriter {
	w := &treeWriter{fs: fsys, root: root}
	if v, err := fsys.OpenVolume(root); err == nil {
		w.volume = v // opened before anything is written: it tells of failures since
	}
	return w
}

func (w *treeWriter) close() {
	if w.volume != nil {
		w.volume.Close()
	}
}

// syncFile makes a file durable, unless the volume does it later.
func (w *treeWriter) syncFile(f vfs.File) error {
	if w.volume != nil {
		return nil
	}
	return f.Sync()
}

// copyChunk is how much of a file is copied at a time.
const copyChunk = 1 << 20

// take puts a file of a frozen store into the tree.
func (w *treeWriter) take(ctx context.Context, f frozenFile) (BackupFile, error) {
	if f.sealed {
		if err := w.dir(path.Dir(f.name)); err != nil {
			return BackupFile{}, err
		}
		if err := w.fs.Link(f.held, path.Join(w.root, f.name)); err == nil {
			crc, err := w.sum(ctx, path.Join(w.root, f.name), f.size)
			return BackupFile{Name: f.name, Bytes: f.size, CRC: crc, Linked: true}, err
		}
		// Another file system, or one without links: a copy does as well.
	}
	crc, err := w.copy(ctx, f.held, f.name, f.size)
	return BackupFile{Name: f.name, Bytes: f.size, CRC: crc}, err
}

// dir makes a directory of the tree.
func (w *treeWriter) dir(name string) error {
	if name == "." || slices.Contains(w.dirs[max(0, len(w.dirs)-4):], name) {
		return nil
	}
	if err := w.dir(path.Dir(name)); err != nil {
		return err
	}
	w.dirs = append(w.dirs, name)
	return w.fs.MkdirAll(path.Join(w.root, name))
}

// put writes a whole file.
func (w *treeWriter) put(name string, data []byte) (BackupFile, error) {
	bf := BackupFile{Name: name, Bytes: int64(len(data)), CRC: kafka.CRC32C(data)}
	if err := w.dir(path.Dir(name)); err != nil {
		return bf, err
	}
	f, err := w.fs.Create(path.Join(w.root, name))
	if err != nil {
		return bf, err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = w.syncFile(f)
	}
	return bf, errors.Join(err, f.Close())
}

// copy copies the first size bytes of a file and returns their CRC.
func (w *treeWriter) copy(ctx context.Context, from, name string, size int64) (crc uint32, err error) {
	if err := w.dir(path.Dir(name)); err != nil {
		return 0, err
	}
	to, err := w.fs.Create(path.Join(w.root, name))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	err = w.read(ctx, from, size, func(p []byte, at int64) error {
		crc = kafka.CRC32CUpdate(crc, p)
		_, err := to.WriteAt(p, at)
		return err
	})
	if err != nil {
		return 0, err
	}
	return crc, w.syncFile(to)
}

// sum returns the CRC of a file's first size bytes.
func (w *treeWriter) sum(ctx context.Context, name string, size int64) (crc uint32, err error) {
	err = w.read(ctx, name, size, func(p []byte, _ int64) error {
		crc = kafka.CRC32CUpdate(crc, p)
		return nil
	})
	return crc, err
}

func (w *treeWriter) read(ctx context.Context, name string, size int64, fn func(p []byte, at int64) error) error {
	f, err := w.fs.OpenRead(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if w.buf == nil {
		w.buf = make([]byte, copyChunk)
	}
	for at := int64(0); at < size; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		p := w.buf[:min(int64(len(w.buf)), size-at)]
		if n, err := f.ReadAt(p, at); n < len(p) {
			return fmt.Errorf("%s: %d of %d bytes: %w", name, at+int64(n), size, err)
		}
		if err := fn(p, at); err != nil {
			return err
		}
		at += int64(len(p))
	}
	return nil
}

// sync makes the tree durable, but for the name of its root.
func (w *treeWriter) sync() error {
	if w.volume != nil {
		return w.volume.Sync(math.MaxInt64) // a backup has the patience for what others write
	}
	slices.Sort(w.dirs)
	for _, d := range slices.Compact(w.dirs) {
		if err := w.fs.SyncDir(path.Join(w.root, d)); err != nil {
			return err
		}
	}
	return w.fs.SyncDir(w.root)
}

// Verify reads the backup in dir back: every file has the size and the CRC that
// the snapshot names, and every batch of every log checks. It notes what the logs
// hold, and their damage, in the snapshot. Damage that was copied is no error; a
// file that is not what was copied is.
func (snap *Snapshot) Verify(ctx context.Context, fsys vfs.FS, dir string) error {
	w := treeWriter{fs: fsys, root: dir}
	for _, f := range snap.Files {
		name := path.Join(dir, f.Name)
		info, err := fsys.Stat(name)
		if err != nil {
			return err
		}
		// A link may have been taken of a file with room behind its last batch.
		if info.Size() != f.Bytes && !(f.Linked && info.Size() > f.Bytes) {
			return fmt.Errorf("%w: %s has %d bytes, it should have %d", errCopied, name, info.Size(), f.Bytes)
		}
		crc, err := w.sum(ctx, name, f.Bytes)
		if err != nil {
			return err
		}
		if crc != f.CRC {
			return fmt.Errorf("%w: %s has CRC %08x, it should have %08x", errCopied, name, crc, f.CRC)
		}
	}
	_, states, err := readCheckpoint(fsys, path.Join(dir, checkpointName))
	if err != nil {
		return err
	}
	if len(states) != len(snap.Logs) {
		return fmt.Errorf("%w: the checkpoint has %d logs, the manifest %d", errCopied, len(states), len(snap.Logs))
	}
	look := &Store{opt: Options{FS: fsys, Dir: dir}, files: newOpenFiles(16)}
	defer look.files.closeAll()
	for i, st := range states {
		l := look.newLog(st.id, st.name, DefaultConfig())
		l.restore(st)
		c, err := l.Check(ctx)
		if err != nil {
			return err
		}
		b := &snap.Logs[i]
		b.Batches, b.Records, b.Damage = 0, 0, nil
		if st.fence != "" {
			b.Damage = append(b.Damage, "fenced: "+st.fence)
		}
		for _, seg := range c.Segments {
			b.Batches += seg.Batches
			b.Records += seg.Records
			for _, r := range seg.Bad {
				b.Damage = append(b.Damage, seg.File+": "+r.String())
			}
			for _, wrong := range seg.Wrong {
				b.Damage = append(b.Damage, seg.File+": "+wrong)
			}
		}
		b.Damage = append(b.Damage, c.Wrong...)
	}
	return nil
}

// RestoreFiles copies the backup in from into the directory to, checking every
// byte against the snapshot, as a store with another salt, so that nothing of the
// original's write-ahead log is ever taken for its own. All of it is durable when
// it returns, but for the name of `to` itself.
func (snap *Snapshot) RestoreFiles(ctx context.Context, fsys vfs.FS, from, to string, salt uint64) error {
	w := newTree(fsys, to)
	defer w.close()
	for _, f := range snap.Files {
		if path.Clean("/"+f.Name) != "/"+f.Name {
			return fmt.Errorf("manifest: %q is no file of a backup", f.Name)
		}
		if f.Name == checkpointName {
			continue
		}
		crc, err := w.copy(ctx, path.Join(from, f.Name), f.Name, f.Bytes)
		if err != nil {
			return err
		}
		if crc != f.CRC {
			return fmt.Errorf("%w: %s has CRC %08x, it should have %08x", errCopied, path.Join(from, f.Name), crc, f.CRC)
		}
	}
	head, states, err := readCheckpoint(fsys, path.Join(from, checkpointName))
	if err != nil {
		return err
	}
	head.salt, head.clean = salt, false
	sections := make([][]byte, len(states))
	for i, st := range states {
		sections[i] = st.encode(nil)
	}
	if _, err := w.put(checkpointName, encodeCheckpoint(head, sections)); err != nil {
		return err
	}
	return w.sync()
}
