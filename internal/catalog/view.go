package catalog

import (
	"math"
	"time"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
)

// View is a topic's configs as the broker uses them: effective, parsed, in Go's
// types. It is computed when something changes, and never changes itself.
type View struct {
	// Log is what the topic's logs are configured with.
	Log plog.Config
	// MaxMessageBytes is max.message.bytes: the largest batch.
	MaxMessageBytes int
	// Recompress says that batches are stored in Codec whatever they came in
	// (compression.type); false for "producer".
	Recompress bool
	Codec      kafka.Codec
	// TimestampBefore and TimestampAfter are how far a record's CreateTime may
	// lie in the past and in the future; the maximum is no limit.
	TimestampBefore, TimestampAfter time.Duration
	// DeadLetters says that share groups may write dead letters here.
	DeadLetters bool
}

var codecs = map[string]kafka.Codec{
	"uncompressed": kafka.CodecNone, "gzip": kafka.CodecGzip, "snappy": kafka.CodecSnappy, "lz4": kafka.CodecLZ4, "zstd": kafka.CodecZstd,
}

// View computes the view of a topic with these configs of its own. They, and the
// broker's, have been checked when they were set.
func (s *Snapshot) View(configs map[string]string) *View {
	get := func(name string) value { return s.topicValue(configs, name) }
	ms := func(name string) time.Duration { return millis(get(name).number) }
	v := &View{
		Log: plog.Config{
			SegmentBytes:      get("segment.bytes").number,
			SegmentAge:        ms("segment.ms"),
			IndexInterval:     int(get("index.interval.bytes").number),
			RetentionBytes:    get("retention.bytes").number,
			RetentionAge:      ms("retention.ms"),
			MinCleanableRatio: get("min.cleanable.dirty.ratio").float,
			DeleteRetention:   ms("delete.retention.ms"),
			MinCompactionLag:  ms("min.compaction.lag.ms"),
			MaxCompactionLag:  ms("max.compaction.lag.ms"),
			LogAppendTime:     get("message.timestamp.type").text == "LogAppendTime",
		},
		MaxMessageBytes: int(get("max.message.bytes").number),
		TimestampBefore: ms("message.timestamp.before.max.ms"),
		TimestampAfter:  ms("message.timestamp.after.max.ms"),
		DeadLetters:     get("errors.deadletterqueue.group.enable").flag,
	}
	for _, policy := range get("cleanup.policy").list {
		v.Log.Delete = v.Log.Delete || policy == "delete"
		v.Log.Compact = v.Log.Compact || policy == "compact"
	}
	v.Codec, v.Recompress = codecs[get("compression.type").text]
	return v
}

// millis turns a number of ms into a duration. Negative is -1 ms (no limit), and
// what does not fit is the longest there is.
func millis(n int64) time.Duration {
	switch {
	case n < 0:
		return -time.Millisecond
	case n > math.MaxInt64/int64(time.Millisecond):
		return math.MaxInt64
	}
	return time.Duration(n) * time.Millisecond
}

// topicValue is the effective, parsed value of a topic config. A value that does
// not parse cannot have been set; its default stands in.
func (s *Snapshot) topicValue(configs map[string]string, name string) value {
	d := TopicDef(name)
	if e := s.TopicEntry(configs, d); e.Value != nil {
		if v, err := d.parse(*e.Value); err == nil {
			return v
		}
	}
	v, _ := d.parse(d.Default)
	return v
}

func (s *Snapshot) topicNumber(configs map[string]string, name string) int64 {
	return s.topicValue(configs, name).number
}

// Int is the effective value of a broker config that is a number. The name is
// one of the roster; another one panics, for it is a mistake in the program.
func (s *Snapshot) Int(name string) int64 { return s.brokerValue(name).number }

// Float is Int for a DOUBLE.
func (s *Snapshot) Float(name string) float64 { return s.brokerValue(name).float }

// Bool is Int for a BOOLEAN.
func (s *Snapshot) Bool(name string) bool { return s.brokerValue(name).flag }

// Text is Int for a STRING; "" when nothing is set.
func (s *Snapshot) Text(name string) string { return s.brokerValue(name).text }

// List is Int for a LIST.
func (s *Snapshot) List(name string) []string { return s.brokerValue(name).list }

// Millis is Int for a number of milliseconds.
func (s *Snapshot) Millis(name string) time.Duration { return millis(s.Int(name)) }

func (s *Snapshot) brokerValue(name string) value {
	d := BrokerDef(name)
	if d == nil {
		panic("catalog: no broker config " + name)
	}
	e := s.BrokerEntry(d)
	if e.Value == nil {
		return value{}
	}
	v, _ := d.parse(*e.Value) // checked when it was set
	return v
}

// Times is the range that record timestamps may lie in at now; nil when any may.
func (v *View) Times(now time.Time) *kafka.TimeRange {
	r := kafka.TimeRange{Min: math.MinInt64, Max: math.MaxInt64}
	if v.TimestampBefore != math.MaxInt64 {
		r.Min = now.UnixMilli() - v.TimestampBefore.Milliseconds()
	}
	if v.TimestampAfter != math.MaxInt64 {
		r.Max = now.UnixMilli() + v.TimestampAfter.Milliseconds()
	}
	if r.Min == math.MinInt64 && r.Max == math.MaxInt64 {
		return nil
	}
	return &r
}
