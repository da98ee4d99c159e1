package broker

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/vfs"
)

// metaVersion is the format of a data directory as a whole. A newer one is
// refused; an older one is upgraded by an explicit step.
const metaVersion = 1

// meta is the file meta.json: what the data directory is.
type meta struct {
	Version   int    `json:"version"`
	ClusterID string `json:"cluster_id"`
	// Salt marks what belongs to this directory in files that might be mixed up.
	Salt uint64 `json:"salt"`
	// Boots counts the starts. It is the leader epoch, and the high part of
	// producer ids, so that neither is ever given out twice.
	Boots int32 `json:"boots"`
}

// metaFile is meta as it is written. A number that is wrong by a digit would have
// leader epochs and producer ids given out twice. Files from before there was a sum
// have none.
type metaFile struct {
	meta
	Sum string `json:"sum,omitempty"`
}

// sum is the CRC-32C of the fields as JSON, in hexadecimal.
func (m meta) sum() (string, error) {
	b, err := json.Marshal(m)
	return fmt.Sprintf("%08x", crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))), err
}

const (
	metaName = "meta.json"
	lockName = "lock"
)

// openDir locks the data directory, making it when it is not there, and counts
// the start durably.
func openDir(fsys vfs.FS, dir string) (meta, io.Closer, error) {
	if err := makeDir(fsys, dir); err != nil {
		return meta{}, nil, fmt.Errorf("data directory: %w", err)
	}
	lock, err := fsys.Lock(path.Join(dir, lockName))
	if errors.Is(err, vfs.ErrLocked) {
		return meta{}, nil, inUse(dir, err)
	}
	if err != nil {
		return meta{}, nil, fmt.Errorf("data directory: %w", err)
	}
	m, err := readMeta(fsys, dir)
	if err == nil {
		m.Boots++
		err = writeMeta(fsys, dir, m)
	}
	if err != nil {
		return meta{}, nil, errors.Join(err, lock.Close())
	}
	return m, lock, nil
}

// makeDir makes the directory and those above it, each of them durably: a file that
// was synced is lost all the same if the way to it is.
func makeDir(fsys vfs.FS, dir string) error {
	dir = path.Clean(dir)
	if _, err := fsys.Stat(path.Join(dir, metaName)); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err // whoever wrote it had the way to it made durable first
	}
	made := map[string]bool{}
	for at := dir; ; at = path.Dir(at) {
		_, err := fsys.Stat(at)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || at == path.Dir(at) {
			return err
		}
		made[at] = true
	}
	if err := fsys.MkdirAll(dir); err != nil {
		return err
	}
	// A directory that is there may have been made by a start that was killed
	// before it could sync its name.
	for at := dir; at != path.Dir(at); at = path.Dir(at) {
		err := fsys.SyncDir(path.Dir(at))
		if err != nil && (made[at] || !errors.Is(err, fs.ErrPermission)) {
			return err
		}
	}
	return nil
}

func readMeta(fsys vfs.FS, dir string) (meta, error) {
	name := path.Join(dir, metaName)
	b, err := vfs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return newMeta(fsys, dir)
	}
	if err != nil {
		return meta{}, err
	}
	var file metaFile
	if err := json.Unmarshal(b, &file); err != nil {
		return meta{}, fmt.Errorf("%s is not readable: %w", name, err)
	}
	m := file.meta
	sum, err := m.sum()
	switch {
	case err != nil:
		return meta{}, err
	case m.Version > metaVersion:
		return meta{}, fmt.Errorf("%s: the data has format version %d, this program knows versions up to %d: use a newer Leat", name, m.Version, metaVersion)
	case m.Version < 1 || m.ClusterID == "" || m.Boots < 0:
		return meta{}, fmt.Errorf("%s does not describe a data directory: %s", name, b)
	case file.Sum != "" && file.Sum != sum:
		return meta{}, fmt.Errorf("%s is damaged: its sum is %s, what it says has %s: put back what it said, with `boots` rather too large than too small, and without `sum`; or restore the whole directory", name, file.Sum, sum)
	}
	return m, nil
}

// newMeta is the meta of a directory that has none, which must be empty: what
// lies in it might be somebody's data.
func newMeta(fsys vfs.FS, dir string) (meta, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return meta{}, err
	}
	if slices.Contains(names, manifestName) {
		return meta{}, isBackup(dir)
	}
	if slices.Contains(names, restoringName) {
		return meta{}, fmt.Errorf("a restore into %s was cut short: run `leat restore` into it again", dir)
	}
	for _, n := range names {
		switch n {
		case lockName, metaName + ".tmp", "lost+found":
		default:
			return meta{}, fmt.Errorf("%s holds %q but no %s: it is not a Leat data directory; choose an empty one", dir, n, metaName)
		}
	}
	var salt [8]byte
	sched.Random(salt[:])
	return meta{Version: metaVersion, ClusterID: kafka.DrawUUID(sched.Random).String(), Salt: binary.BigEndian.Uint64(salt[:])}, nil
}

func writeMeta(fsys vfs.FS, dir string, m meta) error {
	sum, err := m.sum()
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(metaFile{m, sum}, "", "  ")
	if err != nil {
		return err
	}
	return vfs.ReplaceFile(fsys, path.Join(dir, metaName), append(b, '\n'))
}
