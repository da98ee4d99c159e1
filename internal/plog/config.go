package plog

import "time"

// Config is what a topic's configuration means for its logs. The zero value of
// a field is not a default: take DefaultConfig and change it.
type Config struct {
	// SegmentBytes is segment.bytes: a segment rolls before it would grow larger.
	SegmentBytes int64
	// SegmentAge is segment.ms: a segment rolls when its batches span more.
	SegmentAge time.Duration
	// IndexInterval is index.interval.bytes: the log bytes between index entries.
	IndexInterval int
	// Delete and Compact are cleanup.policy.
	Delete, Compact bool
	// RetentionBytes is retention.bytes; negative = no limit.
	RetentionBytes int64
	// RetentionAge is retention.ms; negative = no limit.
	RetentionAge time.Duration
	// MinCleanableRatio is min.cleanable.dirty.ratio, 0 to 1.
	MinCleanableRatio float64
	// DeleteRetention is delete.retention.ms: how long compaction keeps tombstones.
	DeleteRetention time.Duration
	// MinCompactionLag and MaxCompactionLag are min.compaction.lag.ms and
	// max.compaction.lag.ms.
	MinCompactionLag, MaxCompactionLag time.Duration
	// LogAppendTime is message.timestamp.type=LogAppendTime.
	LogAppendTime bool
}

// DefaultConfig returns Kafka's defaults.
func DefaultConfig() Config {
	return Config{
		SegmentBytes:      1 << 30,
		SegmentAge:        7 * 24 * time.Hour,
		IndexInterval:     4096,
		Delete:            true,
		RetentionBytes:    -1,
		RetentionAge:      7 * 24 * time.Hour,
		MinCleanableRatio: 0.5,
		DeleteRetention:   24 * time.Hour,
		MaxCompactionLag:  1<<63 - 1,
	}
}
