package catalog

// brokerDefs are the broker configs that are described, in order of name: Kafka
// 4.3's names, types, defaults and ranges. Does is empty where Leat takes a value
// and does nothing with it.
var brokerDefs = []Def{
	{Name: "advertised.listeners", Type: List, Null: true, Does: "The addresses that clients are told, one per listener; default: those of listeners."},
	{Name: "auto.create.topics.enable", Type: Boolean, Default: "true", Does: "Metadata creates the topics it is asked for, where the client allows it."},
	{Name: "broker.rack", Type: String, Null: true, Does: "The rack that clients are told."},
	{Name: "compression.gzip.level", Type: Int, Default: "-1", check: gzipLevel, Dynamic: true},
	{Name: "compression.lz4.level", Type: Int, Default: "9", check: between(1, 17), Dynamic: true},
	{Name: "compression.type", Type: String, Default: "producer", check: oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"), Dynamic: true, Does: "The codec that batches are stored in; producer: as they came."},
	{Name: "compression.zstd.level", Type: Int, Default: "3", check: between(-131072, 22), Dynamic: true},
	{Name: "connections.max.idle.ms", Type: Long, Default: "600000", Does: "A connection without requests is closed after this time."},
	{Name: "controller.quota.window.num", Type: Int, Default: "11", check: atLeast(1), Does: "Over how many samples controller_mutation_rate lets a client save up partitions that it did not make."},
	{Name: "controller.quota.window.size.seconds", Type: Int, Default: "1", check: atLeast(1), Does: "How long each of these samples is."},
	{Name: "default.replication.factor", Type: Int, Default: "1"},
	{Name: "delete.topic.enable", Type: Boolean, Default: "true", Does: "Topics may be deleted."},
	{Name: "errors.deadletterqueue.auto.create.topics.enable", Type: Boolean, Default: "false", Does: "The dead-letter topic of a share group is created when it is needed and not there."},
	{Name: "errors.deadletterqueue.topic.name.prefix", Type: String, Default: "dlq.", Does: "How the names of share groups' dead-letter topics begin; empty: as they like."},
	{Name: "fetch.max.bytes", Type: Int, Default: "57671680", check: atLeast(1024), Does: "The most bytes of records in one answer to Fetch, but for a single larger batch."},
	{Name: "group.consumer.assignment.interval.ms", Type: Int, Default: "1000", check: atLeast(0), Dynamic: true, Does: "consumer.assignment.interval.ms of groups that have none of their own."},
	{Name: "group.consumer.assignors", Type: List, Default: "uniform,range", check: someOf("uniform", "range"), Does: "The assignors that members of consumer groups may ask for; the first is for those that do not ask."},
	{Name: "group.consumer.heartbeat.interval.ms", Type: Int, Default: "5000", check: atLeast(1), Does: "consumer.heartbeat.interval.ms of groups that have none of their own."},
	{Name: "group.consumer.max.assignment.interval.ms", Type: Int, Default: "15000", check: atLeast(0), Does: "The longest consumer.assignment.interval.ms of a group."},
	{Name: "group.consumer.max.heartbeat.interval.ms", Type: Int, Default: "15000", check: atLeast(1), Does: "The longest consumer.heartbeat.interval.ms of a group."},
	{Name: "group.consumer.max.session.timeout.ms", Type: Int, Default: "60000", check: atLeast(1), Does: "The longest consumer.session.timeout.ms of a group."},
	{Name: "group.consumer.max.size", Type: Int, Default: "2147483647", check: atLeast(1), Does: "The most members that a consumer group may have."},
	{Name: "group.consumer.migration.policy", Type: String, Default: "bidirectional", check: anyCase(oneOf("disabled", "upgrade", "downgrade", "bidirectional")), Does: "Whether a classic group with members becomes a consumer group when the first member joins by the new protocol (upgrade), and a consumer group a classic one when its last such member goes (downgrade)."},
	{Name: "group.consumer.min.assignment.interval.ms", Type: Int, Default: "0", check: atLeast(0), Does: "The shortest consumer.assignment.interval.ms of a group."},
	{Name: "group.consumer.min.heartbeat.interval.ms", Type: Int, Default: "5000", check: atLeast(1), Does: "The shortest consumer.heartbeat.interval.ms of a group."},
	{Name: "group.consumer.min.session.timeout.ms", Type: Int, Default: "45000", check: atLeast(1), Does: "The shortest consumer.session.timeout.ms of a group."},
	{Name: "group.consumer.session.timeout.ms", Type: Int, Default: "45000", check: atLeast(1), Does: "consumer.session.timeout.ms of groups that have none of their own."},
	{Name: "group.initial.rebalance.delay.ms", Type: Int, Default: "3000", Does: "How long an empty classic group waits for more members before its first rebalance."},
	{Name: "group.max.session.timeout.ms", Type: Int, Default: "1800000", Does: "The longest session timeout that a member of a classic group may ask for."},
	{Name: "group.max.size", Type: Int, Default: "2147483647", check: atLeast(1), Does: "The most members that a classic group may have."},
	{Name: "group.min.session.timeout.ms", Type: Int, Default: "6000", Does: "The shortest session timeout that a member of a classic group may ask for."},
	{Name: "group.share.delivery.count.limit", Type: Int, Default: "5", check: between(2, 10), Does: "share.delivery.count.limit of groups that have none of their own."},
	{Name: "group.share.heartbeat.interval.ms", Type: Int, Default: "5000", check: atLeast(1), Does: "share.heartbeat.interval.ms of groups that have none of their own."},
	{Name: "group.share.max.delivery.count.limit", Type: Int, Default: "10", check: between(5, 25), Does: "The largest share.delivery.count.limit of a group."},
	{Name: "group.share.max.heartbeat.interval.ms", Type: Int, Default: "15000", check: atLeast(1), Does: "The longest share.heartbeat.interval.ms of a group."},
	{Name: "group.share.max.partition.max.record.locks", Type: Int, Default: "4000", check: between(2000, 10000), Does: "The largest share.partition.max.record.locks of a group."},
	{Name: "group.share.max.record.lock.duration.ms", Type: Int, Default: "86400000", check: between(30000, 86400000), Does: "The longest share.record.lock.duration.ms of a group. Kafka's default is 60000, and its most 3600000: models may take longer."},
	{Name: "group.share.max.session.timeout.ms", Type: Int, Default: "60000", check: atLeast(1), Does: "The longest share.session.timeout.ms of a group."},
	{Name: "group.share.max.share.sessions", Type: Int, Default: "2000", check: atLeast(1), Does: "The most share sessions at a time."},
	{Name: "group.share.max.size", Type: Int, Default: "200", check: between(1, 1000), Does: "The most members that a share group may have."},
	{Name: "group.share.min.delivery.count.limit", Type: Int, Default: "2", check: between(2, 5), Does: "The smallest share.delivery.count.limit of a group."},
	{Name: "group.share.min.heartbeat.interval.ms", Type: Int, Default: "5000", check: atLeast(1), Does: "The shortest share.heartbeat.interval.ms of a group."},
	{Name: "group.share.min.partition.max.record.locks", Type: Int, Default: "100", check: between(100, 2000), Does: "The smallest share.partition.max.record.locks of a group."},
	{Name: "group.share.min.record.lock.duration.ms", Type: Int, Default: "15000", check: between(1000, 30000), Does: "The shortest share.record.lock.duration.ms of a group."},
	{Name: "group.share.min.session.timeout.ms", Type: Int, Default: "45000", check: atLeast(1), Does: "The shortest share.session.timeout.ms of a group."},
	{Name: "group.share.partition.max.record.locks", Type: Int, Default: "2000", check: between(100, 10000), Does: "share.partition.max.record.locks of groups that have none of their own."},
	{Name: "group.share.record.lock.duration.ms", Type: Int, Default: "30000", check: between(1000, 3600000), Does: "share.record.lock.duration.ms of groups that have none of their own."},
	{Name: "group.share.session.timeout.ms", Type: Int, Default: "45000", check: atLeast(1), Does: "share.session.timeout.ms of groups that have none of their own."},
	{Name: "leat.scrub.bytes.per.second", Type: Long, Default: "10485760", check: atLeast(1), Dynamic: true, Does: "How fast complete segments are read back to find damage before it is needed. Leat's own."},
	{Name: "leat.scrub.interval.ms", Type: Long, Default: "604800000", check: atLeast(-1), Dynamic: true, Does: "How long after the end of one such round the next begins; -1: never. The first begins an hour after the start, or after this time if that is less. Leat's own."},
	{Name: "listeners", Type: List, Default: "PLAINTEXT://:9092", Does: "Where the broker listens, as NAME://host:port, separated by commas."},
	{Name: "log.cleaner.backoff.ms", Type: Long, Default: "15000", check: atLeast(0), Dynamic: true, Does: "How long the cleaner rests when no log needs compaction."},
	{Name: "log.cleaner.delete.retention.ms", Type: Long, Default: "86400000", check: atLeast(0), Dynamic: true, Does: "How long compaction keeps tombstones."},
	{Name: "log.cleaner.enable", Type: Boolean, Default: "true", Does: "Whether logs are compacted."},
	{Name: "log.cleaner.max.compaction.lag.ms", Type: Long, Default: "9223372036854775807", check: atLeast(1), Dynamic: true, Does: "A record becomes due for compaction after this time at the latest."},
	{Name: "log.cleaner.min.cleanable.ratio", Type: Double, Default: "0.5", check: between(0, 1), Dynamic: true, Does: "The share of a log that must be uncompacted before it is compacted."},
	{Name: "log.cleaner.min.compaction.lag.ms", Type: Long, Default: "0", check: atLeast(0), Dynamic: true, Does: "A record is not compacted before this time."},
	{Name: "log.cleanup.policy", Type: List, Default: "delete", check: oneOf("compact", "delete"), Dynamic: true, Does: "delete, compact, or both: what happens to old records."},
	{Name: "log.flush.interval.messages", Type: Long, Default: "9223372036854775807", check: atLeast(1), Dynamic: true},
	{Name: "log.flush.interval.ms", Type: Long, Null: true, Dynamic: true},
	{Name: "log.index.interval.bytes", Type: Int, Default: "4096", check: atLeast(0), Dynamic: true, Does: "Bytes of log between two entries of an index."},
	{Name: "log.index.size.max.bytes", Type: Int, Default: "10485760", check: atLeast(4), Dynamic: true},
	{Name: "log.local.retention.bytes", Type: Long, Default: "-2", check: atLeast(-2), Dynamic: true},
	{Name: "log.local.retention.ms", Type: Long, Default: "-2", check: atLeast(-2), Dynamic: true},
	{Name: "log.message.timestamp.after.max.ms", Type: Long, Default: "3600000", check: atLeast(0), Dynamic: true, Does: "How far a record's timestamp may lie in the future."},
	{Name: "log.message.timestamp.before.max.ms", Type: Long, Default: "9223372036854775807", check: atLeast(0), Dynamic: true, Does: "How far a record's timestamp may lie in the past."},
	{Name: "log.message.timestamp.type", Type: String, Default: "CreateTime", check: oneOf("CreateTime", "LogAppendTime"), Dynamic: true, Does: "CreateTime (the producer's) or LogAppendTime (the broker's)."},
	{Name: "log.preallocate", Type: Boolean, Default: "false", Dynamic: true},
	{Name: "log.retention.bytes", Type: Long, Default: "-1", Dynamic: true, Does: "The size that a partition is cut back to, oldest segments first; -1: no limit."},
	{Name: "log.retention.check.interval.ms", Type: Long, Default: "300000", check: atLeast(1), Does: "How often retention and compaction look for work."},
	{Name: "log.retention.hours", Type: Int, Default: "168", Does: "log.retention.ms in hours, if neither that nor log.retention.minutes is set."},
	{Name: "log.retention.minutes", Type: Int, Null: true, Does: "log.retention.ms in minutes, if that is not set."},
	{Name: "log.retention.ms", Type: Long, Null: true, Dynamic: true, Does: "How long records are kept; -1: for ever."},
	{Name: "log.roll.hours", Type: Int, Default: "168", check: atLeast(1), Does: "log.roll.ms in hours, if that is not set."},
	{Name: "log.roll.jitter.hours", Type: Int, Default: "0", check: atLeast(0)},
	{Name: "log.roll.jitter.ms", Type: Long, Null: true, Dynamic: true},
	{Name: "log.roll.ms", Type: Long, Null: true, Dynamic: true, Does: "After this time a new segment is begun."},
	{Name: "log.segment.bytes", Type: Int, Default: "1073741824", check: atLeast(1048576), Dynamic: true, Does: "The size at which a new segment is begun."},
	{Name: "log.segment.delete.delay.ms", Type: Long, Default: "60000", check: atLeast(0), Dynamic: true},
	{Name: "max.connections", Type: Int, Default: "2147483647", check: atLeast(0), Dynamic: true, Does: "The most connections; further ones are closed at once."},
	{Name: "max.connections.per.ip", Type: Int, Default: "2147483647", check: atLeast(0), Dynamic: true, Does: "The most connections from one address; further ones are closed at once."},
	{Name: "max.incremental.fetch.session.cache.slots", Type: Int, Default: "1000", check: atLeast(0), Does: "The most fetch sessions that are kept (KIP-227)."},
	{Name: "max.request.partition.size.limit", Type: Int, Default: "2000", check: atLeast(1), Does: "The most partitions in one answer to DescribeTopicPartitions."},
	{Name: "message.max.bytes", Type: Int, Default: "1048588", check: atLeast(0), Dynamic: true, Does: "The largest record batch that is accepted, as it comes over the wire."},
	{Name: "min.insync.replicas", Type: Int, Default: "1", check: atLeast(1), Dynamic: true},
	{Name: "node.id", Type: Int, Null: true, check: atLeast(0), Does: "The number of this broker."},
	{Name: "num.partitions", Type: Int, Default: "1", check: atLeast(1), Does: "Partitions of a topic that is created without a number."},
	{Name: "offset.metadata.max.bytes", Type: Int, Default: "4096", Does: "The longest metadata string of an offset commit."},
	{Name: "offsets.retention.check.interval.ms", Type: Long, Default: "600000", check: atLeast(1), Does: "How often expired offsets are looked for."},
	{Name: "offsets.retention.minutes", Type: Int, Default: "10080", check: atLeast(1), Does: "How long the offsets of a group without members are kept."},
	{Name: "offsets.topic.num.partitions", Type: Int, Default: "50", check: atLeast(1), Does: "Partitions of __consumer_offsets, when it is created."},
	{Name: "offsets.topic.replication.factor", Type: Short, Default: "3", check: atLeast(1)},
	{Name: "offsets.topic.segment.bytes", Type: Int, Default: "104857600", check: atLeast(1), Does: "Segment size of __consumer_offsets."},
	{Name: "producer.id.expiration.ms", Type: Int, Default: "86400000", check: atLeast(1), Does: "How long an idle producer is remembered."},
	{Name: "queued.max.request.bytes", Type: Long, Default: "-1", Does: "Memory for requests of all connections together; -1: 256 MiB."},
	{Name: "quota.window.num", Type: Int, Default: "11", check: atLeast(1), Does: "Over how many samples, the present one among them, the other quotas take the average."},
	{Name: "quota.window.size.seconds", Type: Int, Default: "1", check: atLeast(1), Does: "How long each of these samples is."},
	{Name: "share.coordinator.snapshot.update.records.per.snapshot", Type: Int, Default: "500", check: atLeast(0), Does: "The state of a share-partition is written whole after so many changes."},
	{Name: "share.coordinator.state.topic.num.partitions", Type: Int, Default: "50", check: atLeast(1), Does: "Partitions of __share_group_state, when it is created."},
	{Name: "share.coordinator.state.topic.segment.bytes", Type: Int, Default: "104857600", check: atLeast(14), Does: "Segment size of __share_group_state."},
	{Name: "socket.request.max.bytes", Type: Int, Default: "104857600", check: atLeast(1), Does: "The largest request."},
	{Name: "socket.send.buffer.bytes", Type: Int, Default: "102400", check: atLeast(-1), Does: "What the system buffers of an answer on its way to a client (SO_SNDBUF); -1: as much as it likes."},
	{Name: "transaction.max.timeout.ms", Type: Int, Default: "900000", check: atLeast(1), Does: "The longest time-out of transactions that a producer may ask for."},
	{Name: "transaction.remove.expired.transaction.cleanup.interval.ms", Type: Int, Default: "3600000", check: atLeast(1), Does: "How often expired transactional ids are looked for."},
	{Name: "transaction.state.log.num.partitions", Type: Int, Default: "50", check: atLeast(1), Does: "Partitions of __transaction_state, when it is created."},
	{Name: "transaction.state.log.segment.bytes", Type: Int, Default: "104857600", check: atLeast(1), Does: "Segment size of __transaction_state."},
	{Name: "transactional.id.expiration.ms", Type: Int, Default: "604800000", check: atLeast(1), Does: "How long a transactional id that is not used is kept."},
	{Name: "unclean.leader.election.enable", Type: Boolean, Default: "false", Dynamic: true},
}

// inertNames are other broker configs of Kafka 4.3. They are accepted, so that a
// command line or file made for Kafka works, and mean nothing here: replication and
// the controller do not exist, and what belongs to later protocols has no setting
// yet. They are described only where they were set.
//
// Kafka's security and policy configs are not among them: taking one and doing
// nothing would promise what is not there.
var inertNames = nameSet(`
add.partitions.to.txn.retry.backoff.max.ms add.partitions.to.txn.retry.backoff.ms
alter.log.dirs.replication.quota.window.num alter.log.dirs.replication.quota.window.size.seconds
auto.leader.rebalance.enable background.threads broker.heartbeat.interval.ms broker.id
broker.session.timeout.ms config.providers connection.failed.authentication.delay.ms connections.max.reauth.ms
controlled.shutdown.enable controller.listener.names controller.quorum.append.linger.ms
controller.quorum.auto.join.enable controller.quorum.bootstrap.servers
controller.quorum.election.backoff.max.ms controller.quorum.election.timeout.ms
controller.quorum.fetch.max.bytes controller.quorum.fetch.snapshot.max.bytes
controller.quorum.fetch.timeout.ms controller.quorum.request.timeout.ms controller.quorum.retry.backoff.ms
controller.quorum.voters
controller.socket.timeout.ms cordoned.log.dirs delete.records.purgatory.purge.interval.requests
fetch.purgatory.purge.interval.requests follower.fetch.last.tiered.offset.enable
group.coordinator.append.linger.ms
group.coordinator.background.threads group.coordinator.cached.buffer.max.bytes
group.coordinator.rebalance.protocols group.coordinator.threads group.share.assignment.interval.ms
group.share.assignors 
group.share.max.assignment.interval.ms 


group.share.min.assignment.interval.ms 



group.streams.assignment.interval.ms group.streams.heartbeat.interval.ms
group.streams.initial.rebalance.delay.ms group.streams.max.assignment.interval.ms
group.streams.max.heartbeat.interval.ms group.streams.max.session.timeout.ms group.streams.max.size
group.streams.max.standby.replicas group.streams.min.assignment.interval.ms
group.streams.min.heartbeat.interval.ms group.streams.min.session.timeout.ms
group.streams.num.standby.replicas group.streams.session.timeout.ms initial.broker.registration.timeout.ms
inter.broker.listener.name kafka.metrics.polling.interval.secs kafka.metrics.reporters
leader.imbalance.check.interval.seconds log.cleaner.dedupe.buffer.size log.cleaner.io.buffer.load.factor
log.cleaner.io.buffer.size log.cleaner.io.max.bytes.per.second log.cleaner.threads log.dir.failure.timeout.ms
log.flush.offset.checkpoint.interval.ms log.flush.scheduler.interval.ms
log.flush.start.offset.checkpoint.interval.ms
max.connection.creation.rate max.connections.per.ip.overrides metadata.log.dir
metadata.log.max.record.bytes.between.snapshots metadata.log.max.snapshot.interval.ms
metadata.log.segment.bytes metadata.log.segment.ms metadata.max.idle.interval.ms metadata.max.retention.bytes
metadata.max.retention.ms metric.reporters metrics.num.samples metrics.recording.level
metrics.sample.window.ms num.io.threads num.network.threads num.recovery.threads.per.data.dir
num.replica.alter.log.dirs.threads num.replica.fetchers offsets.commit.timeout.ms offsets.load.buffer.size
offsets.topic.compression.codec process.roles producer.purgatory.purge.interval.requests queued.max.requests
remote.fetch.max.wait.ms remote.list.offsets.request.timeout.ms
remote.log.index.file.cache.total.size.bytes remote.log.manager.copier.thread.pool.size
remote.log.manager.copy.max.bytes.per.second remote.log.manager.copy.quota.window.num
remote.log.manager.copy.quota.window.size.seconds remote.log.manager.expiration.thread.pool.size
remote.log.manager.fetch.max.bytes.per.second remote.log.manager.fetch.quota.window.num
remote.log.manager.fetch.quota.window.size.seconds remote.log.manager.follower.thread.pool.size
remote.log.manager.task.interval.ms remote.log.manager.thread.pool.size
remote.log.metadata.custom.metadata.max.bytes remote.log.metadata.manager.class.name
remote.log.metadata.manager.class.path remote.log.metadata.manager.impl.prefix
remote.log.metadata.manager.listener.name remote.log.reader.max.pending.tasks remote.log.reader.threads
remote.log.storage.manager.class.name remote.log.storage.manager.class.path
remote.log.storage.manager.impl.prefix remote.log.storage.system.enable replica.fetch.backoff.ms
replica.fetch.max.bytes replica.fetch.min.bytes replica.fetch.response.max.bytes replica.fetch.wait.max.ms
replica.high.watermark.checkpoint.interval.ms replica.lag.time.max.ms replica.selector.class
replica.socket.receive.buffer.bytes replica.socket.timeout.ms replication.quota.window.num
replication.quota.window.size.seconds request.timeout.ms share.coordinator.append.linger.ms
share.coordinator.cached.buffer.max.bytes share.coordinator.load.buffer.size
share.coordinator.state.topic.compression.codec
share.coordinator.state.topic.min.isr 
share.coordinator.state.topic.replication.factor 
share.coordinator.threads share.coordinator.write.timeout.ms share.fetch.purgatory.purge.interval.requests
socket.connection.setup.timeout.max.ms socket.connection.setup.timeout.ms socket.listen.backlog.size
socket.receive.buffer.bytes telemetry.max.bytes
transaction.abort.timed.out.transaction.cleanup.interval.ms transaction.partition.verification.enable
transaction.state.log.load.buffer.size transaction.state.log.min.isr
transaction.state.log.replication.factor transaction.two.phase.commit.enable
`)
