package catalog

const (
	minute = 60 * 1000 // in ms
	hour   = 60 * minute
)

// topicDefs are all topic configs of Kafka 4.3, in order of name: names, types,
// defaults and ranges are Kafka's. From names the broker configs that give the
// value where the topic has none, the first that is set, with the factor to the
// topic config's unit. Does is empty where Leat takes a value and does nothing
// with it.
var topicDefs = []Def{
	{Name: "cleanup.policy", Type: List, Default: "delete", check: oneOf("compact", "delete"), From: []synonym{{"log.cleanup.policy", 1}}, Does: "delete, compact, or both: what happens to old records."},
	{Name: "compression.gzip.level", Type: Int, Default: "-1", check: gzipLevel, From: []synonym{{"compression.gzip.level", 1}}},
	{Name: "compression.lz4.level", Type: Int, Default: "9", check: between(1, 17), From: []synonym{{"compression.lz4.level", 1}}},
	{Name: "compression.type", Type: String, Default: "producer", check: oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"), From: []synonym{{"compression.type", 1}}, Does: "The codec that batches are stored in; producer: as they came."},
	{Name: "compression.zstd.level", Type: Int, Default: "3", check: between(-131072, 22), From: []synonym{{"compression.zstd.level", 1}}},
	{Name: "delete.retention.ms", Type: Long, Default: "86400000", check: atLeast(0), From: []synonym{{"log.cleaner.delete.retention.ms", 1}}, Does: "How long compaction keeps tombstones."},
	{Name: "errors.deadletterqueue.group.enable", Type: Boolean, Default: "false", Does: "Share groups may write dead letters to this topic (KIP-1191, Kafka 4.4)."},
	{Name: "file.delete.delay.ms", Type: Long, Default: "60000", check: atLeast(0), From: []synonym{{"log.segment.delete.delay.ms", 1}}},
	{Name: "flush.messages", Type: Long, Default: "9223372036854775807", check: atLeast(1), From: []synonym{{"log.flush.interval.messages", 1}}},
	{Name: "flush.ms", Type: Long, Default: "9223372036854775807", check: atLeast(0), From: []synonym{{"log.flush.interval.ms", 1}}},
	{Name: "follower.replication.throttled.replicas", Type: List, check: throttledReplicas},
	{Name: "index.interval.bytes", Type: Int, Default: "4096", check: atLeast(0), From: []synonym{{"log.index.interval.bytes", 1}}, Does: "Bytes of log between two entries of an index."},
	{Name: "leader.replication.throttled.replicas", Type: List, check: throttledReplicas},
	{Name: "local.retention.bytes", Type: Long, Default: "-2", check: atLeast(-2), From: []synonym{{"log.local.retention.bytes", 1}}},
	{Name: "local.retention.ms", Type: Long, Default: "-2", check: atLeast(-2), From: []synonym{{"log.local.retention.ms", 1}}},
	{Name: "max.compaction.lag.ms", Type: Long, Default: "9223372036854775807", check: atLeast(1), From: []synonym{{"log.cleaner.max.compaction.lag.ms", 1}}, Does: "A record becomes due for compaction after this time at the latest."},
	{Name: "max.message.bytes", Type: Int, Default: "1048588", check: atLeast(0), From: []synonym{{"message.max.bytes", 1}}, Does: "The largest record batch that is accepted, as it comes over the wire."},
	{Name: "message.timestamp.after.max.ms", Type: Long, Default: "3600000", check: atLeast(0), From: []synonym{{"log.message.timestamp.after.max.ms", 1}}, Does: "How far a record's timestamp may lie in the future."},
	{Name: "message.timestamp.before.max.ms", Type: Long, Default: "9223372036854775807", check: atLeast(0), From: []synonym{{"log.message.timestamp.before.max.ms", 1}}, Does: "How far a record's timestamp may lie in the past."},
	{Name: "message.timestamp.type", Type: String, Default: "CreateTime", check: oneOf("CreateTime", "LogAppendTime"), From: []synonym{{"log.message.timestamp.type", 1}}, Does: "CreateTime (the producer's) or LogAppendTime (the broker's)."},
	{Name: "min.cleanable.dirty.ratio", Type: Double, Default: "0.5", check: between(0, 1), From: []synonym{{"log.cleaner.min.cleanable.ratio", 1}}, Does: "The share of a log that must be uncompacted before it is compacted."},
	{Name: "min.compaction.lag.ms", Type: Long, Default: "0", check: atLeast(0), From: []synonym{{"log.cleaner.min.compaction.lag.ms", 1}}, Does: "A record is not compacted before this time."},
	{Name: "min.insync.replicas", Type: Int, Default: "1", check: atLeast(1), From: []synonym{{"min.insync.replicas", 1}}},
	{Name: "preallocate", Type: Boolean, Default: "false", From: []synonym{{"log.preallocate", 1}}},
	{Name: "remote.log.copy.disable", Type: Boolean, Default: "false"},
	{Name: "remote.log.delete.on.disable", Type: Boolean, Default: "false"},
	{Name: "remote.storage.enable", Type: Boolean, Default: "false"},
	{Name: "retention.bytes", Type: Long, Default: "-1", From: []synonym{{"log.retention.bytes", 1}}, Does: "The size that a partition is cut back to, oldest segments first; -1: no limit."},
	{Name: "retention.ms", Type: Long, Default: "604800000", check: atLeast(-1), From: []synonym{{"log.retention.ms", 1}, {"log.retention.minutes", minute}, {"log.retention.hours", hour}}, Does: "How long records are kept; -1: for ever."},
	{Name: "segment.bytes", Type: Int, Default: "1073741824", check: atLeast(1048576), From: []synonym{{"log.segment.bytes", 1}}, Does: "The size at which a new segment is begun."},
	{Name: "segment.index.bytes", Type: Int, Default: "10485760", check: atLeast(4), From: []synonym{{"log.index.size.max.bytes", 1}}},
	{Name: "segment.jitter.ms", Type: Long, Default: "0", check: atLeast(0), From: []synonym{{"log.roll.jitter.ms", 1}, {"log.roll.jitter.hours", hour}}},
	{Name: "segment.ms", Type: Long, Default: "604800000", check: atLeast(1), From: []synonym{{"log.roll.ms", 1}, {"log.roll.hours", hour}}, Does: "After this time a new segment is begun."},
	{Name: "unclean.leader.election.enable", Type: Boolean, Default: "false", From: []synonym{{"unclean.leader.election.enable", 1}}},
}
