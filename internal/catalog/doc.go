// Package catalog is what the broker knows about its topics and about itself:
// names, ids, partition counts, and configs with where each value comes from.
//
// The catalogue lives in memory as immutable snapshots, which are cheap to read
// and never change under a reader, and on disk as a log of its own (LogID), which
// clients cannot fetch. A change is a Change; who makes one writes its record,
// together with whatever must happen with it (a topic's logs), as one unit, waits
// until it is durable, and only then calls Apply. A restart replays the log.
//
// # Records
//
// The log is compacted. A record's key says what it is about, its value is JSON;
// null takes the thing away. "v" is the version of the value's schema: 1. Unknown
// keys, fields and versions are errors, for they come from a newer program.
//
//	topic/<name>            {"v":1,"id":"<topic id, base64url>","partitions":3,"configs":{"retention.ms":"1000"}}
//	config/broker/<node>    {"v":1,"configs":{"log.retention.ms":"9000000"}}
//	config/broker/default   the same, for the whole cluster
//	config/group/<id>       the same, for a group
//	quota/<entity>          {"v":1,"quotas":{"producer_byte_rate":1048576}}
//
// An entity is what its quota is for: client-id=app, user=alice, client-id=app,user=alice
// or ip=10.0.0.7, the names escaped as in the query of a URL; a type without a name, as
// in client-id,user=alice, is the default of that type. Users and ACLs will be further
// kinds of keys.
//
// # Configs
//
// The rosters (roster_topic.go, roster_broker.go) are Kafka's own, taken from a
// running Kafka 4.3.1. A topic's value is the first that is set of: the topic's
// own, the broker's dynamic one, the cluster's dynamic one, the one given at
// start (-c name=value), the default; Kafka's synonyms apply, such as
// log.retention.hours for retention.ms.
package catalog
