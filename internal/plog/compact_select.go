package plog

import (
	"math"
	"time"
)

// cleanable is the part of a log that compaction may work on now.
type cleanable struct {
	log *Log
	cfg Config
	// segs are complete segments that stand on disk, from the log start on.
	segs []*segment
	// from is the first dirty offset, to the end of segs.
	from, to int64
	// clean and dirty are the bytes of segs below and from the dirty offset on.
	clean, dirty int64
	// wanted says that the configuration asks for a compaction now.
	wanted bool
}

func (c *cleanable) ratio() float64 {
	if c.dirty == 0 {
		return 0
	}
	return float64(c.dirty) / float64(c.clean+c.dirty)
}

// cleanable finds the log's cleanable part at the time now (ms), by the rules of
// Kafka's LogCleanerManager: not the last segment, nothing younger than
// min.compaction.lag.ms; wanted when the dirty share is larger than
// min.cleanable.dirty.ratio or a dirty segment is older than
// max.compaction.lag.ms (KIP-354).
func (l *Log) cleanable(now int64) cleanable {
	l.mu.RLock()
	defer l.mu.RUnlock()
	c := cleanable{log: l, cfg: l.cfg, from: max(l.cleaned, l.first)}
	if !l.cfg.Compact || l.gone || l.fence != nil {
		return c
	}
	minLag, maxLag := l.cfg.MinCompactionLag.Milliseconds(), l.cfg.MaxCompactionLag.Milliseconds()
	stable := l.LastStable()
	oldest := int64(math.MaxInt64) // first timestamp of a dirty segment
	for i, s := range l.segs {
		// A checkpoint seals what is complete, durable and in its file.
		if i == len(l.segs)-1 || !s.sealed || s.next > stable {
			break
		}
		if s.next > c.from {
			if minLag > 0 && s.maxTS > now-minLag {
				break
			}
			c.dirty += int64(s.end)
			if s.firstTS > 0 {
				oldest = min(oldest, s.firstTS)
			}
		} else {
			c.clean += int64(s.end)
		}
		c.segs = append(c.segs, s)
		c.to = s.next
	}
	overdue := c.dirty > 0 && oldest < now-max(minLag, maxLag)
	c.wanted = overdue || c.ratio() > l.cfg.MinCleanableRatio
	return c
}

// groupSize returns how many of the segments go into one: as many as it can
// hold, by bytes and by the width of offsets in its index, but none that begins
// at upTo or above.
func groupSize(segs []*segment, segmentBytes, upTo int64) int {
	n, size := 1, int64(segs[0].end)
	for ; n < len(segs); n++ {
		size += int64(segs[n].end)
		if segs[n].base >= upTo || size > segmentBytes || segs[n].next-1-segs[0].base > math.MaxInt32 {
			break
		}
	}
	return n
}

// rollAge is how old a segment may become before it rolls. A record is only
// compacted when its segment is complete, so max.compaction.lag.ms bounds that,
// too (KIP-354).
func (c *Config) rollAge() time.Duration {
	if c.Compact {
		return min(c.SegmentAge, max(c.MaxCompactionLag, 1))
	}
	return c.SegmentAge
}
