package plog

import (
	"errors"
	"path"
	"sync/atomic"
)

// sweep removes directories and files that no log refers to: of deletions and
// compactions that the crash cut short.
func (s *Store) sweep() error {
	wanted := map[string]*Log{}
	for _, l := range s.Logs() {
		wanted[l.dir()] = l
		wanted[l.topicDir()] = l
	}
	topics, err := s.opt.FS.List(s.logsDir())
	if err != nil {
		return err
	}
	swept := false
	for _, t := range topics {
		dir := path.Join(s.logsDir(), t)
		if wanted[dir] == nil {
			swept = true
			if err := s.opt.FS.RemoveAll(dir); err != nil {
				return err
			}
			continue
		}
		parts, err := s.opt.FS.List(dir)
		if err != nil {
			return err
		}
		var removed atomic.Bool
		err = among(len(parts), func(_, i int) error {
			sub := path.Join(dir, parts[i])
			l := wanted[sub]
			if l == nil {
				removed.Store(true)
				return s.opt.FS.RemoveAll(sub)
			}
			return s.sweepLog(l)
		})
		if err != nil {
			return err
		}
		if removed.Load() {
			if err := s.opt.FS.SyncDir(dir); err != nil {
				return err
			}
		}
	}
	if !swept {
		return nil
	}
	return s.opt.FS.SyncDir(s.logsDir())
}

func (s *Store) sweepLog(l *Log) error {
	if l.fence != nil {
		return nil // nothing of a damaged log is thrown away
	}
	known := map[string]bool{}
	for _, seg := range l.segs {
		for _, suffix := range suffixes {
			known[path.Base(seg.file("", suffix))] = true
		}
	}
	names, err := s.opt.FS.List(l.dir())
	if err != nil {
		return err
	}
	removed := false
	for _, name := range names {
		if !known[name] {
			removed = true
			if err := s.opt.FS.Remove(path.Join(l.dir(), name)); err != nil {
				return err
			}
		}
	}
	if removed {
		if err := s.opt.FS.SyncDir(l.dir()); err != nil {
			return err
		}
	}
	return s.cutOverhang(l)
}

// cutOverhang cuts the last segment behind its end: a batch that was on its way
// straight there when the crash came, and blocks that were taken ahead.
func (s *Store) cutOverhang(l *Log) error {
	if len(l.segs) == 0 {
		return nil
	}
	seg := l.segs[len(l.segs)-1]
	name := seg.file(l.dir(), logSuffix)
	info, err := s.opt.FS.Stat(name)
	if isNotExist(err) && seg.end == 0 {
		return nil
	}
	if err != nil || info.Size() <= int64(seg.end) && !spare(info) {
		return err
	}
	f, err := s.files.open(name, s.opt.FS.Open)
	if err != nil {
		return err
	}
	defer s.files.done(f)
	return errors.Join(f.Truncate(min(int64(seg.end), info.Size())), f.Sync())
}
