package plog

import (
	"errors"
	"fmt"
	"path"

	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/vfs"
	"github.com/leatdev/leat/internal/wal"
)

// Report tells what Open found.
type Report struct {
	// Clean says that the store was closed properly before.
	Clean bool
	// Groups and Batches were taken over from the write-ahead log.
	Groups, Batches int
	// TornBytes of groups that never became durable were cut from its end.
	TornBytes int64
	// Torn is what can still be made out of them, by log.
	Torn []TornLog
	// GivenUp says what Options.GiveUp has given up; empty when nothing was.
	GivenUp string
	// Fenced logs are damaged below what was durable; each with the reason.
	Fenced map[ID]string
	// Kept is the directory to which a damaged write-ahead log was copied; empty
	// when none is damaged.
	Kept string
}

// Open opens the store in opt.Dir, recovering what a crash has left. What it
// returns is durable: everything that survives has been written and synced anew.
func Open(opt Options) (*Store, *Report, error) {
	opt.defaults()
	s := &Store{opt: opt, files: newOpenFiles(opt.OpenFiles), logs: map[ID]*Log{}}
	s.check.init()
	if err := makeDurable(opt.FS, opt.Dir); err != nil {
		return nil, nil, err
	}
	if err := makeDurable(opt.FS, s.logsDir(), s.walDir()); err != nil {
		return nil, nil, err
	}
	if err := s.dropStaging(); err != nil {
		return nil, nil, err
	}
	head, found, err := s.loadCheckpoint()
	if err != nil {
		return nil, nil, err
	}
	report := &Report{Fenced: map[ID]string{}}
	known := s.fencedLogs()
	next := head.last + 1
	if report.Clean = found && head.clean && head.epoch == opt.Epoch-1; !report.Clean {
		last, err := s.recover(head.cut, report)
		if err != nil {
			return nil, nil, err
		}
		next = last + 1
	}
	s.wal, err = wal.Open(wal.Options{
		FS: opt.FS, Dir: s.walDir(), Salt: opt.Salt, Next: next, FileSize: opt.WALFileSize,
		MaxFiles: opt.WALFiles, Relaxed: opt.Relaxed, Logger: opt.Logger, Crowded: s.check.now,
	})
	if err != nil {
		return nil, nil, err
	}
	for _, l := range s.Logs() {
		l.hw.Store(l.next)
		l.start.Store(l.first)
		if l.fence != nil {
			report.Fenced[l.id] = l.fence.Error()
		}
		if len(l.segs) > 1 && l.segs[0].next <= l.first {
			s.trim = append(s.trim, l)
		}
	}
	s.noteStart(report, known)
	s.check.tidy()
	sched.Go(s.runCheckpoints)
	return s, report, nil
}

// makeDurable makes directories, all in the same one, that are there under their
// names after a crash.
func makeDurable(fsys vfs.FS, dirs ...string) error {
	made := false
	for _, dir := range dirs {
		_, err := fsys.Stat(dir)
		if err == nil {
			continue
		}
		if !isNotExist(err) {
			return err
		}
		if err := fsys.MkdirAll(dir); err != nil {
			return err
		}
		made = true
	}
	if !made {
		return nil
	}
	return fsys.SyncDir(path.Dir(dirs[0]))
}

func (s *Store) walDir() string { return path.Join(s.opt.Dir, "wal") }

// loadCheckpoint makes the logs that the checkpoint knows.
func (s *Store) loadCheckpoint() (head checkpointHead, found bool, err error) {
	b, err := vfs.ReadFile(s.opt.FS, path.Join(s.opt.Dir, checkpointName))
	if isNotExist(err) {
		// The first start makes one before anything else is there.
		if names, err := s.opt.FS.List(s.logsDir()); err != nil || len(names) > 0 {
			return head, false, errors.Join(err, fmt.Errorf("%s is missing, though %s holds %d topics: nothing was changed; put the file back, or restore the whole directory", path.Join(s.opt.Dir, checkpointName), s.logsDir(), len(names)))
		}
		return head, false, nil
	}
	if err != nil {
		return head, false, err
	}
	head, states, err := decodeCheckpoint(b)
	if err != nil {
		return head, false, fmt.Errorf("%s: %w", path.Join(s.opt.Dir, checkpointName), err)
	}
	if head.salt != s.opt.Salt {
		return head, false, fmt.Errorf("%s belongs to another data directory", path.Join(s.opt.Dir, checkpointName))
	}
	s.transactions.Store(head.version >= checkpointTxn)
	for _, st := range states {
		l := s.newLog(st.id, st.name, DefaultConfig())
		l.restore(st)
		l.hasDir = len(l.segs) > 0 && l.segs[0].made
		l.saved = st.encode(nil)
		s.logs[l.id] = l
	}
	return head, true, nil
}
