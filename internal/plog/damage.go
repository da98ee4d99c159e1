package plog

import (
	"fmt"
	"path"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Damage is a part of a segment that is not what was written: found by a reader or
// by a scrub since the start.
type Damage struct {
	// ID and Topic name the log; Topic is the name that the topic was created with.
	ID    ID
	Topic string
	// Segment is the base offset of the segment, File its path, and From and To are
	// the bytes in it: From is in, To is not.
	Segment  int64
	File     string
	From, To int64
	// First and Last are the offsets that may be hurt, both included.
	First, Last int64
	// Reason says what is wrong with the bytes.
	Reason string
}

// Damage returns what was found damaged in the segments of all logs since the start, by
// log and offset. Segments that retention has taken since are not in it.
func (s *Store) Damage() []Damage {
	var all []Damage
	for _, l := range s.Logs() {
		l.mu.RLock()
		for _, seg := range l.segs {
			if seg.checked == nil {
				continue
			}
			seg.checked.mu.Lock()
			for _, d := range seg.checked.bad {
				all = append(all, l.describe(seg, d))
			}
			seg.checked.mu.Unlock()
		}
		l.mu.RUnlock()
	}
	return all
}

func (l *Log) describe(seg *segment, d badPart) Damage {
	return Damage{
		ID: l.id, Topic: l.name, Segment: seg.base, File: seg.file(l.dir(), logSuffix),
		From: int64(d.from.pos), To: int64(d.to.pos),
		First: seg.base + int64(d.from.rel), Last: seg.base + int64(d.to.rel) - 1, Reason: d.reason,
	}
}

// foundDamage notes damage and says so, once.
func (l *Log) foundDamage(seg *segment, c *checked, d badPart) {
	if !c.spoil(d) {
		return
	}
	e := l.describe(seg, d)
	l.store.opt.Logger.Error("segment is damaged: these offsets are refused, all others are served",
		"topic", l.name, "partition", l.id.Partition, "first", e.First, "last", e.Last,
		"file", path.Clean(e.File), "from", e.From, "to", e.To, "err", e.Reason)
	l.store.noteDamage(l, e)
}

// damagedError is what a reader of damaged offsets is told. Clients show
// CORRUPT_MESSAGE to their users; KAFKA_STORAGE_ERROR they would retry in silence.
func (l *Log) damagedError(seg *segment, d badPart) error {
	e := l.describe(seg, d)
	return fmt.Errorf("%w: offsets %d to %d of %s-%d are damaged on disk (%s, bytes %d to %d: %s); restore the file from a backup, or have the consumer go on at offset %d",
		kerr.CorruptMessage, e.First, e.Last, l.name, l.id.Partition, e.File, e.From, e.To, e.Reason, e.Last+1)
}
