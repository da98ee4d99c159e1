package plog

import "time"

// Retain moves the log start forward as retention.ms and retention.bytes ask
// for, whole segments at a time (Kafka's UnifiedLog.deleteOldSegments). The
// segments go when the new log start is durable. It reports whether anything
// moved. Compacted topics without the delete policy only drop what lies below
// their log start.
func (l *Log) Retain(now time.Time) (bool, error) {
	if l.Fenced() != nil {
		return false, nil
	}
	start := l.retainFrom(now.UnixMilli())
	if start <= l.Start() {
		return false, nil
	}
	_, _, err := l.store.Submit(SetStart(l, start))
	return err == nil, err
}

// retainFrom returns the log start that the rules ask for.
func (l *Log) retainFrom(now int64) int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	start, hw := l.first, l.hw.Load()
	if !l.cfg.Delete {
		return start
	}
	var size int64
	for _, s := range l.segs {
		size += int64(s.end)
	}
	for i, s := range l.segs {
		// Only what is durable and readable ages; an empty last segment stays.
		if s.next > hw || s.end == 0 {
			break
		}
		newest := s.maxTS
		if newest < 0 {
			newest = s.created // no record has a timestamp
		}
		old := l.cfg.RetentionAge >= 0 && now-newest > l.cfg.RetentionAge.Milliseconds()
		big := l.cfg.RetentionBytes >= 0 && size-int64(s.end) >= l.cfg.RetentionBytes && i < len(l.segs)-1
		if !old && !big {
			break
		}
		size -= int64(s.end)
		start = max(start, s.next)
	}
	return start
}
