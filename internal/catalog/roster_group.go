package catalog

// groupDefs are the configs of groups, in order of name: Kafka's names, types,
// defaults and ranges (KIP-848, KIP-1263). From is the broker's value for groups that
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
}

// sessions are pairs of configs of which the first must be the larger.
var sessions = [][2]string{
	{"consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"},
}
