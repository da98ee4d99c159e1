package plog

import (
	"context"
	"errors"
	"path"
	"strings"
	"time"

	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/vfs"
)

// scrubStep is how much is read between two pauses of a scrub.
const scrubStep = 1 << 20

// Scrubbed is what one round of Scrub has gone through.
type Scrubbed struct {
	Segments int
	Bytes    int64
	// Unread segments could not be read at all: the disk answers with an error.
	Unread int
}

// Scrub reads every complete segment of all logs once and compares it with its
// checksums, so that damage is found while a backup still has the data. It reads at
// most rate() bytes a second (asked before each step; at least 1), does not keep in
// the page cache what it has read, takes no lock while it reads, and ends at once
// when ctx does. Damage is noted as when a reader finds it: those offsets are
// refused, all others are served. What is in the last segment of a log, or in
// memory, is not looked at.
func (s *Store) Scrub(ctx context.Context, rate func() int64) (done Scrubbed, err error) {
	for _, l := range s.Logs() {
		l.mu.RLock()
		var segs []*segment
		if l.fence == nil && !l.gone {
			for i, seg := range l.segs {
				if i < len(l.segs)-1 && seg.sealed && seg.size == seg.end {
					segs = append(segs, seg)
				}
			}
		}
		l.mu.RUnlock()
		for _, seg := range segs {
			n, err := l.scrub(ctx, seg, rate)
			done.Bytes += n
			if cerr := context.Cause(ctx); cerr != nil {
				return done, cerr
			}
			switch {
			case errors.Is(err, errMoved):
				continue // retention or compaction took it
			case err != nil:
				done.Unread++
				s.opt.Logger.Error("a segment cannot be read", "topic", l.name, "partition", l.id.Partition, "file", seg.file(l.dir(), logSuffix), "err", err)
				in := l.about(IncidentDamaged)
				in.File, in.Bytes, in.First, in.Last, in.Text = s.relative(seg.file(l.dir(), logSuffix)), int64(seg.size), seg.base, seg.next-1, err.Error()
				s.note(in)
				continue
			}
			done.Segments++
		}
	}
	return done, nil
}

// scrub reads one segment.
func (l *Log) scrub(ctx context.Context, seg *segment, rate func() int64) (n int64, err error) {
	l.mu.RLock()
	v := l.view(seg)
	l.mu.RUnlock()
	c := l.checkedOf(seg)
	for at := (place{}); at.pos < v.size; {
		began := at.pos
		if at, err = l.verify(&v, c, at, began+scrubStep); err != nil {
			return n, err
		}
		l.evict(&v, int64(began), int64(at.pos-began))
		n += int64(at.pos - began)
		pause := time.Duration(float64(at.pos-began) / float64(max(rate(), 1)) * float64(time.Second))
		if !sched.Sleep(ctx, pause) {
			return n, context.Cause(ctx)
		}
	}
	return n, nil
}

// evict has the system forget what a scrub has read: what is read once a week should
// not take the place of what is read all day.
func (l *Log) evict(seg *segment, from, n int64) {
	f, err := l.openSegment(seg, logSuffix)
	if err != nil {
		return
	}
	defer l.store.files.done(f)
	if e, ok := f.File.(vfs.Evicter); ok {
		e.Evict(from, n)
	}
}

// noteDamage keeps with the data what a reader or a scrub has found.
func (s *Store) noteDamage(l *Log, d Damage) {
	in := l.about(IncidentDamaged)
	in.File, in.At, in.Bytes, in.First, in.Last, in.Text = s.relative(d.File), d.From, d.To-d.From, d.First, d.Last, d.Reason
	s.note(in)
}

// relative is a file's name below the data directory.
func (s *Store) relative(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, path.Clean(s.opt.Dir)), "/")
}
