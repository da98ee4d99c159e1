package plog

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/leatdev/leat/internal/vfs"
)

// BackupFile is a file of a backup.
type BackupFile struct {
	// Name is relative to the backup's directory, with slashes.
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	// CRC is the CRC-32C of all of it.
	CRC uint32 `json:"crc"`
	// Linked files are hard links to a complete segment of the data directory, or
	// of an earlier backup: their bytes never change.
	Linked bool `json:"linked,omitempty"`
}

// BackupLog is a log as a backup holds it.
type BackupLog struct {
	Topic     string `json:"topic"`
	ID        string `json:"id"`
	Partition int32  `json:"partition"`
	// Start is its first offset, End the one after its last.
	Start int64 `json:"start"`
	End   int64 `json:"end"`
	// Batches and Records that were read back from the backup.
	Batches int64 `json:"batches"`
	Records int64 `json:"records"`
	// Damage is what was found wrong with it when it was read back: it was so in
	// the data directory.
	Damage []string `json:"damage,omitempty"`
}

// Snapshot is what a backup of a store consists of.
type Snapshot struct {
	// Cut is the place in the write-ahead log: everything up to it, nothing behind
	// it, in all logs.
	Cut   Pos          `json:"cut"`
	Logs  []BackupLog  `json:"logs"`
	Files []BackupFile `json:"files"`
}

// frozen is one moment of a store, held by hard links.
type frozen struct {
	cut    Pos
	states []*logState
	files  []frozenFile
}

// frozenFile is a file as it was at that moment, under a name that nobody else
// removes.
type frozenFile struct {
	held   string // its name now
	name   string // its name in the backup
	size   int64
	sealed bool // nothing is ever written to it again
}

// stagingDir holds a backup's links while it runs; an interrupted one leaves it
// behind for the next start or backup to remove.
const stagingDir = "backup.tmp"

// Backup copies everything that the store holds at one moment into the directory
// `to`, which is there and empty: complete segments as hard links where both are
// on one file system, all else as copies. Units of Submit are in it whole or not
// at all, in all logs; whatever was durable before the call is in it. Writers
// stand still for the moment only in which the logs are noted (10,000 logs: some
// milliseconds); compaction and removals wait until the files are linked.
//
// All of it is durable when it returns, but for the name of `to` itself. One
// backup runs at a time.
func (s *Store) Backup(ctx context.Context, to string) (*Snapshot, error) {
	s.backup.Lock()
	defer s.backup.Unlock()
	fz, err := s.freeze()
	defer s.opt.FS.RemoveAll(path.Join(s.opt.Dir, stagingDir))
	if err != nil {
		return nil, err
	}
	snap := &Snapshot{Cut: fz.cut}
	w := newTree(s.opt.FS, to)
	defer w.close()
	for _, f := range fz.files {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		bf, err := w.take(ctx, f)
		if err != nil {
			return nil, err
		}
		snap.Files = append(snap.Files, bf)
	}
	sections := make([][]byte, len(fz.states))
	for i, st := range fz.states {
		sections[i] = st.encode(nil)
		snap.Logs = append(snap.Logs, BackupLog{Topic: st.name, ID: st.id.Topic.String(), Partition: st.id.Partition, Start: st.start, End: st.next})
	}
	head := checkpointHead{version: s.checkpointVersion(), salt: s.opt.Salt, cut: fz.cut, last: fz.cut, epoch: s.opt.Epoch}
	bf, err := w.put(checkpointName, encodeCheckpoint(head, sections))
	if err != nil {
		return nil, err
	}
	snap.Files = append(snap.Files, bf)
	return snap, w.sync()
}

// freeze moves everything into segments, as a checkpoint does, and links the
// files before any of them can go.
func (s *Store) freeze() (*frozen, error) {
	s.compact.mu.Lock() // compaction unlinks what it has replaced
	defer s.compact.mu.Unlock()
	s.check.mu.Lock() // so do removals
	defer s.check.mu.Unlock()
	if err := s.wal.Err(); err != nil {
		return nil, err
	}
	m := s.moment()
	if err := s.carryOut(m.plans, m.durable, false); err != nil {
		s.replan(m.plans)
		return nil, err
	}
	planned := map[*Log]*plan{}
	for _, p := range m.plans {
		planned[p.log] = p
	}
	fz := &frozen{cut: m.last}
	for _, l := range m.logs {
		st := m.saved[l]
		if p := planned[l]; p != nil {
			st = p.encoded
		}
		if st == nil {
			return nil, fmt.Errorf("%s of topic %s has no saved state", l.id, l.name)
		}
		decoded, err := decodeState(&reader{b: st})
		if err != nil {
			return nil, err
		}
		fz.states = append(fz.states, decoded)
	}
	s.settle(m.plans)
	s.wal.Free(m.durable)
	s.check.tidy()
	return fz, s.hold(fz)
}

// moment is where all logs stand between two calls of Submit.
type moment struct {
	durable, last Pos
	logs          []*Log // but for those that are being deleted
	plans         []*plan
	saved         map[*Log][]byte // of logs without a plan
}

// moment stops every Submit for as long as it takes to note where each log is. It
// takes the locks in the order in which Submit takes them.
func (s *Store) moment() *moment {
	for {
		logs := s.Logs()
		for _, l := range logs {
			l.mu.Lock()
		}
		s.queueing.Lock()
		m := s.noted(logs)
		s.queueing.Unlock()
		for _, l := range logs {
			l.mu.Unlock()
		}
		if m != nil {
			return m
		}
	}
}

// noted is called with the locks of logs and queueing held; nil when there are
// other logs by now.
func (s *Store) noted(logs []*Log) *moment {
	held := make(map[*Log]bool, len(logs))
	for _, l := range logs {
		held[l] = true
	}
	s.mu.Lock()
	for _, l := range s.logs {
		if !held[l] {
			s.mu.Unlock()
			return nil
		}
	}
	dirty := s.dirty
	s.dirty = nil
	s.changed.Store(0)
	s.mu.Unlock()
	m := &moment{durable: s.wal.Durable(), last: s.wal.Last(), saved: map[*Log][]byte{}}
	for _, l := range dirty {
		l.dirty = false
		if !l.removed.Load() {
			m.plans = append(m.plans, l.plan())
		}
	}
	for _, l := range logs {
		if !l.gone {
			m.logs = append(m.logs, l)
			m.saved[l] = l.saved
		}
	}
	return m
}

// hold links the files of a frozen store into the staging directory.
func (s *Store) hold(fz *frozen) error {
	staging := path.Join(s.opt.Dir, stagingDir)
	if err := errors.Join(s.opt.FS.RemoveAll(staging), s.opt.FS.MkdirAll(staging)); err != nil {
		return err
	}
	for _, st := range fz.states {
		dir := path.Join("logs", topicDir(st.name, st.id), fmt.Sprint(st.id.Partition))
		for i := range st.segs {
			seg := &st.segs[i]
			for suffix, size := range seg.sizes() {
				if size == 0 {
					continue
				}
				f := frozenFile{
					held: path.Join(staging, fmt.Sprintf("%08d", len(fz.files))), name: seg.file(dir, suffix),
					size: int64(size), sealed: i < len(st.segs)-1 && seg.sealed,
				}
				if err := s.opt.FS.Link(path.Join(s.opt.Dir, f.name), f.held); err != nil {
					return fmt.Errorf("a backup of a running server needs a file system with hard links: %w", err)
				}
				fz.files = append(fz.files, f)
			}
		}
	}
	return nil
}

// dropStaging removes what an interrupted backup has left in the data directory.
func (s *Store) dropStaging() error {
	staging := path.Join(s.opt.Dir, stagingDir)
	if _, err := s.opt.FS.Stat(staging); err != nil {
		return nil // as nearly always
	}
	return s.opt.FS.RemoveAll(staging)
}

var errCopied = errors.New("a file is not what it was when it was copied")

// readCheckpoint returns the states that a checkpoint file holds.
func readCheckpoint(fsys vfs.FS, name string) (checkpointHead, []*logState, error) {
	b, err := vfs.ReadFile(fsys, name)
	if err != nil {
		return checkpointHead{}, nil, err
	}
	head, states, err := decodeCheckpoint(b)
	if err != nil {
		return head, nil, fmt.Errorf("%s: %w", name, err)
	}
	return head, states, nil
}
