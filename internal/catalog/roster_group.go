package catalog

// groupDefs are the configs of groups, in order of name: Kafka's names, types,
// defaults and ranges (KIP-848, KIP-932, KIP-1191, KIP-1263), and Leat's own. From is the broker's value for groups that
// have none of their own; low and high bound what a group may have.
var groupDefs = []Def{
	{Name: "consumer.assignment.interval.ms", Type: Int, Default: "1000", check: atLeast(0), From: []synonym{{"group.consumer.assignment.interval.ms", 1}},
		low: "group.consumer.min.assignment.interval.ms", high: "group.consumer.max.assignment.interval.ms",
		Does: "A consumer group's partitions are assigned anew after this time at the earliest: members that come together are seen together."},
	{Name: "consumer.heartbeat.interval.ms", Type: Int, Default: "5000", check: atLeast(1), From: []synonym{{"group.consumer.heartbeat.interval.ms", 1}},
		low: "group.consumer.min.heartbeat.interval.ms", high: "group.consumer.max.heartbeat.interval.ms",
		Does: "How often the members of a consumer group are told to send heartbeats."},
	{Name: "consumer.session.timeout.ms", Type: Int, Default: "45000", check: atLeast(1), From: []synonym{{"group.consumer.session.timeout.ms", 1}},
		low: "group.consumer.min.session.timeout.ms", high: "group.consumer.max.session.timeout.ms",
		Does: "A member of a consumer group that is not heard of for this time is removed."},
	{Name: "errors.deadletterqueue.copy.record.enable", Type: Boolean, Default: "true", Does: "A dead letter of a share group has the record's key, value, headers and timestamp beside the headers that say what happened. Kafka's default is false."},
	{Name: "errors.deadletterqueue.topic.name", Type: String, Default: "", check: deadLetterName, Does: "Where records of a share group go that were rejected or failed too often (KIP-1191). The topic needs errors.deadletterqueue.group.enable. Empty: they are dropped."},
	{Name: "share.auto.offset.reset", Type: String, Default: "latest", check: offsetReset, Does: "Where a share group begins to read a partition: earliest, latest, or by_duration: and an ISO 8601 duration back (by_duration:PT1H)."},
	{Name: "share.delivery.count.limit", Type: Int, Default: "5", check: atLeast(2), From: []synonym{{"group.share.delivery.count.limit", 1}},
		low: "group.share.min.delivery.count.limit", high: "group.share.max.delivery.count.limit",
		Does: "A record of a share group is not delivered again after so many failed deliveries."},
	{Name: "share.dlq.breaker.pause.ms", Type: Int, Default: "30000", check: atLeast(1), Does: "How long the delivery of a share-partition is paused when dead letters flood or cannot be written. Leat's own."},
	{Name: "share.dlq.breaker.records", Type: Int, Default: "1000", check: atLeast(0), Does: "So many dead letters of a share-partition within a minute, when fewer records were accepted, pause its delivery; 0: never. Leat's own."},
	{Name: "share.heartbeat.interval.ms", Type: Int, Default: "5000", check: atLeast(1), From: []synonym{{"group.share.heartbeat.interval.ms", 1}},
		low: "group.share.min.heartbeat.interval.ms", high: "group.share.max.heartbeat.interval.ms",
		Does: "How often the members of a share group are told to send heartbeats."},
	{Name: "share.isolation.level", Type: String, Default: "read_uncommitted", check: oneOf("read_committed", "read_uncommitted"), Does: "read_committed: a share group gets no records of transactions that are open or were aborted."},
	{Name: "share.partition.max.record.locks", Type: Int, Default: "2000", check: atLeast(100), From: []synonym{{"group.share.partition.max.record.locks", 1}},
		low: "group.share.min.partition.max.record.locks", high: "group.share.max.partition.max.record.locks",
		Does: "About how many records of a partition may be out, or wait to be delivered again, at a time."},
	{Name: "share.record.lock.duration.ms", Type: Int, Default: "30000", check: atLeast(1000), From: []synonym{{"group.share.record.lock.duration.ms", 1}},
		low: "group.share.min.record.lock.duration.ms", high: "group.share.max.record.lock.duration.ms",
		Does: "How long a share consumer has a record before others may get it. Above a minute the lock survives the consumer's connection and the broker."},
	{Name: "share.release.backoff.max.ms", Type: Int, Default: "60000", check: atLeast(0), Does: "The longest wait before a record that failed is delivered again. Leat's own."},
	{Name: "share.release.backoff.min.ms", Type: Int, Default: "0", check: atLeast(0), Does: "The wait after a record's first failed delivery; 0: none. Leat's own."},
	{Name: "share.release.backoff.multiplier", Type: Double, Default: "2", check: between(1, 100), Does: "By how much the wait grows with each failed delivery. Leat's own."},
	{Name: "share.renew.acknowledge.enable", Type: Boolean, Default: "true", Does: "Consumers of a share group may renew their locks (KIP-1222)."},
	{Name: "share.session.timeout.ms", Type: Int, Default: "45000", check: atLeast(1), From: []synonym{{"group.share.session.timeout.ms", 1}},
		low: "group.share.min.session.timeout.ms", high: "group.share.max.session.timeout.ms",
		Does: "A member of a share group that is not heard of for this time is removed."},
}

// sessions are pairs of configs of which the first must be the larger.
var sessions = [][2]string{
	{"consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"},
	{"share.session.timeout.ms", "share.heartbeat.interval.ms"},
}
