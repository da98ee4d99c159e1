package broker

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"time"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/vfs"
)

// manifestName is the file that makes a directory a backup. It is the last one to
// be written.
const manifestName = "manifest.json"

// manifestVersion is the format of a backup as a whole.
const manifestVersion = 1

// Manifest says what a backup holds.
type Manifest struct {
	// Backup is the format of the manifest, Version that of the files.
	Backup  int `json:"backup"`
	Version int `json:"version"`
	// ClusterID and Boots are the data directory's.
	ClusterID string `json:"cluster_id"`
	Boots     int32  `json:"boots"`
	// Made is when the backup began, in UTC.
	Made time.Time `json:"made"`
	plog.Snapshot
	// CRC is the CRC-32C of the manifest with CRC 0, as it stands in the file.
	CRC uint32 `json:"manifest_crc"`
}

// Damaged returns the logs that were damaged when they were copied.
func (m *Manifest) Damaged() (out []plog.BackupLog) {
	for _, l := range m.Logs {
		if len(l.Damage) > 0 {
			out = append(out, l)
		}
	}
	return out
}

// Totals returns the bytes and records of the backup.
func (m *Manifest) Totals() (bytes, records int64) {
	for _, f := range m.Files {
		bytes += f.Bytes
	}
	for _, l := range m.Logs {
		records += l.Records
	}
	return bytes, records
}

// Backup makes a backup of all logs as they are at one moment in the new directory
// `to`: every record that was acknowledged before the call is in it, changes of
// several partitions at once are in it whole or not at all. Clients are served
// meanwhile. The directory appears under its name when all of it is durable and was
// read back; an error, or a crash, leaves at most TO.tmp, which the next try
// removes.
func (b *Broker) Backup(ctx context.Context, to string) (*Manifest, error) {
	m := &Manifest{Backup: manifestVersion, Version: metaVersion, ClusterID: b.ClusterID, Boots: b.Epoch, Made: b.now().UTC()}
	return m, makeBackup(ctx, b.fs, b.Store, to, m)
}

// Backup is Broker.Backup of a directory that no server runs on. It counts as a
// start: what a crash has left is recovered first.
func (d *Dir) Backup(ctx context.Context, to string, now time.Time) (m *Manifest, err error) {
	if err := d.Start(); err != nil {
		return nil, err
	}
	store, _, err := d.OpenStore(d.fs, plog.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	m = &Manifest{Backup: manifestVersion, Version: metaVersion, ClusterID: d.ClusterID, Boots: d.Boots + 1, Made: now.UTC()}
	return m, makeBackup(ctx, d.fs, store, to, m)
}

func makeBackup(ctx context.Context, fsys vfs.FS, store *plog.Store, to string, m *Manifest) error {
	to = path.Clean(to)
	if err := absent(fsys, to); err != nil {
		return err
	}
	tmp := to + ".tmp"
	if err := fsys.RemoveAll(tmp); err != nil {
		return err
	}
	if err := makeDir(fsys, tmp); err != nil {
		return err
	}
	err := fillBackup(ctx, fsys, store, tmp, m)
	if err != nil {
		return errors.Join(err, fsys.RemoveAll(tmp))
	}
	if err := absent(fsys, to); err != nil {
		return errors.Join(err, fsys.RemoveAll(tmp))
	}
	if err := fsys.Rename(tmp, to); err != nil {
		return errors.Join(err, fsys.RemoveAll(tmp))
	}
	return fsys.SyncDir(path.Dir(to))
}

func absent(fsys vfs.FS, name string) error {
	if _, err := fsys.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, fmt.Errorf("%s: %w: a backup is made as a new directory; choose another name", name, fs.ErrExist))
	}
	return nil
}

func fillBackup(ctx context.Context, fsys vfs.FS, store *plog.Store, tmp string, m *Manifest) error {
	snap, err := store.Backup(ctx, tmp)
	if err != nil {
		return err
	}
	if err := snap.Verify(ctx, fsys, tmp); err != nil {
		return err
	}
	m.Snapshot = *snap
	text, err := m.seal()
	if err != nil {
		return err
	}
	return vfs.ReplaceFile(fsys, path.Join(tmp, manifestName), text)
}

// seal sets the manifest's CRC and returns its text.
func (m *Manifest) seal() ([]byte, error) {
	m.CRC = 0
	b, err := marshal(m)
	if err != nil {
		return nil, err
	}
	m.CRC = kafka.CRC32C(b)
	return marshal(m)
}

// ReadManifest reads the manifest of a backup.
func ReadManifest(fsys vfs.FS, from string) (*Manifest, error) {
	name := path.Join(from, manifestName)
	b, err := vfs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no %s: it is no backup, or one that was not finished", from, manifestName)
	}
	if err != nil {
		return nil, err
	}
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("%s is not readable: %w", name, err)
	}
	switch {
	case m.Backup > manifestVersion:
		return nil, fmt.Errorf("%s: the backup has format version %d, this program knows versions up to %d: use a newer Leat", name, m.Backup, manifestVersion)
	case m.Version > metaVersion:
		return nil, fmt.Errorf("%s: the data has format version %d, this program knows versions up to %d: use a newer Leat", name, m.Version, metaVersion)
	}
	crc := m.CRC
	if again, err := m.seal(); err != nil || m.CRC != crc || string(again) != string(b) {
		return nil, fmt.Errorf("%s is damaged: it fails its CRC", name)
	}
	return &m, nil
}

// restoringName marks a data directory whose restore has not ended.
const restoringName = "restore.incomplete"

// epochJump is how far a restored directory's count of starts is ahead of the
// backup's, at least: more starts than the original can have had since. As much
// again is drawn by lot, so that two directories restored from one backup differ.
// 2^31 starts are enough for a thousand restores of restores.
const epochJump = 1 << 20

// Restore makes a data directory of a backup: the same records, offsets, groups
// and configs; the same cluster id, or a new one; a count of starts beyond any that
// the original can have reached since, so that no leader epoch and no producer id is
// ever given out twice and clients notice what is missing. The target must be empty
// or not there. Every byte is compared with the manifest. A restore that was cut
// short leaves a directory that no server starts on and that can be restored into
// again.
func Restore(ctx context.Context, fsys vfs.FS, from, to string, newClusterID bool) (*Manifest, error) {
	m, err := ReadManifest(fsys, from)
	if err != nil {
		return nil, err
	}
	if m.Boots > math.MaxInt32-3*epochJump {
		return nil, fmt.Errorf("the data in %s was restored too often: its leader epochs would run out", from)
	}
	if err := makeDir(fsys, to); err != nil {
		return nil, err
	}
	lock, err := fsys.Lock(path.Join(to, lockName))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, inUse(to, err)
	}
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if err := emptyForRestore(fsys, to); err != nil {
		return nil, err
	}
	if err := vfs.ReplaceFile(fsys, path.Join(to, restoringName), []byte("from "+from+"\n")); err != nil {
		return nil, err
	}
	var lots [12]byte
	sched.Random(lots[:])
	nm := meta{
		Version: m.Version, ClusterID: m.ClusterID, Salt: binary.BigEndian.Uint64(lots[:]),
		Boots: m.Boots + epochJump + int32(binary.BigEndian.Uint32(lots[8:])%epochJump),
	}
	if newClusterID {
		nm.ClusterID = kafka.DrawUUID(sched.Random).String()
	}
	if err := m.RestoreFiles(ctx, fsys, from, to, nm.Salt); err != nil {
		return nil, err
	}
	// What makes it a data directory comes last.
	if err := writeMeta(fsys, to, nm); err != nil {
		return nil, err
	}
	if err := errors.Join(fsys.Remove(path.Join(to, restoringName)), fsys.SyncDir(to)); err != nil {
		return nil, err
	}
	m.ClusterID, m.Boots = nm.ClusterID, nm.Boots
	return m, nil
}

// emptyForRestore refuses a directory that holds anything but what an unfinished
// restore has left, which it removes.
func emptyForRestore(fsys vfs.FS, dir string) error {
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	unfinished := false
	for _, n := range names {
		unfinished = unfinished || n == restoringName
	}
	for _, n := range names {
		switch {
		case n == lockName || n == "lost+found" || n == restoringName || n == restoringName+".tmp":
		case unfinished && n != metaName:
			if err := fsys.RemoveAll(path.Join(dir, n)); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s is not empty: it holds %q; restore into a directory that is empty or not there", dir, n)
		}
	}
	return fsys.SyncDir(dir)
}
