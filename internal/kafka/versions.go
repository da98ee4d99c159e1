package kafka

import "slices"

// APIVersion is one row of the version table.
type APIVersion struct {
	Key  int16
	Name string
	// Min and Max are the range that ApiVersions tells clients.
	Min, Max int16
	// Served is the lowest version that is carried out; versions from Min up to
	// it are told and then answered with UNSUPPORTED_VERSION.
	Served int16
}

// Serves reports whether requests of the version are carried out.
func (v APIVersion) Serves(version int16) bool { return version >= v.Served && version <= v.Max }

// Versions are the APIs that the broker speaks, by key: the ranges of Apache
// Kafka 4.4's broker listener, because clients take the highest version both
// know and some infer the broker's age from the ranges.
//
// Produce says 0 and serves from 3 on: librdkafka before 2.11.1 silently sends
// uncompressed when 0 is missing (KAFKA-18659), so Kafka says it too.
var Versions = []APIVersion{
	{Key: 0, Name: "Produce", Min: 0, Max: 13, Served: 3},
	{Key: 1, Name: "Fetch", Min: 4, Max: 18, Served: 4},
	{Key: 2, Name: "ListOffsets", Min: 1, Max: 11, Served: 1},
	{Key: 3, Name: "Metadata", Min: 0, Max: 13, Served: 0},
	{Key: 8, Name: "OffsetCommit", Min: 2, Max: 10, Served: 2},
	{Key: 9, Name: "OffsetFetch", Min: 1, Max: 10, Served: 1},
	{Key: 10, Name: "FindCoordinator", Min: 0, Max: 6, Served: 0},
	{Key: 11, Name: "JoinGroup", Min: 0, Max: 9, Served: 0},
	{Key: 12, Name: "Heartbeat", Min: 0, Max: 4, Served: 0},
	{Key: 13, Name: "LeaveGroup", Min: 0, Max: 5, Served: 0},
	{Key: 14, Name: "SyncGroup", Min: 0, Max: 5, Served: 0},
	{Key: 15, Name: "DescribeGroups", Min: 0, Max: 6, Served: 0},
	{Key: 16, Name: "ListGroups", Min: 0, Max: 5, Served: 0},
	{Key: 18, Name: "ApiVersions", Min: 0, Max: 5, Served: 0},
	{Key: 19, Name: "CreateTopics", Min: 2, Max: 7, Served: 2},
	{Key: 20, Name: "DeleteTopics", Min: 1, Max: 6, Served: 1},
	{Key: 21, Name: "DeleteRecords", Min: 0, Max: 2, Served: 0},
	{Key: 22, Name: "InitProducerId", Min: 0, Max: 5, Served: 0},
	{Key: 23, Name: "OffsetForLeaderEpoch", Min: 2, Max: 4, Served: 2},
	{Key: 24, Name: "AddPartitionsToTxn", Min: 0, Max: 5, Served: 0},
	{Key: 25, Name: "AddOffsetsToTxn", Min: 0, Max: 4, Served: 0},
	{Key: 26, Name: "EndTxn", Min: 0, Max: 5, Served: 0},
	{Key: 27, Name: "WriteTxnMarkers", Min: 1, Max: 2, Served: 1},
	{Key: 28, Name: "TxnOffsetCommit", Min: 0, Max: 6, Served: 0},
	{Key: 32, Name: "DescribeConfigs", Min: 1, Max: 4, Served: 1},
	{Key: 33, Name: "AlterConfigs", Min: 0, Max: 2, Served: 0},
	{Key: 35, Name: "DescribeLogDirs", Min: 1, Max: 5, Served: 1},
	{Key: 37, Name: "CreatePartitions", Min: 0, Max: 3, Served: 0},
	{Key: 42, Name: "DeleteGroups", Min: 0, Max: 3, Served: 0},
	{Key: 43, Name: "ElectLeaders", Min: 0, Max: 2, Served: 0},
	{Key: 44, Name: "IncrementalAlterConfigs", Min: 0, Max: 1, Served: 0},
	{Key: 45, Name: "AlterPartitionReassignments", Min: 0, Max: 1, Served: 0},
	{Key: 46, Name: "ListPartitionReassignments", Min: 0, Max: 0, Served: 0},
	{Key: 47, Name: "OffsetDelete", Min: 0, Max: 0, Served: 0},
	{Key: 48, Name: "DescribeClientQuotas", Min: 0, Max: 1, Served: 0},
	{Key: 49, Name: "AlterClientQuotas", Min: 0, Max: 1, Served: 0},
	{Key: 55, Name: "DescribeQuorum", Min: 0, Max: 2, Served: 0},
	{Key: 57, Name: "UpdateFeatures", Min: 0, Max: 2, Served: 0},
	{Key: 60, Name: "DescribeCluster", Min: 0, Max: 2, Served: 0},
	{Key: 61, Name: "DescribeProducers", Min: 0, Max: 0, Served: 0},
	{Key: 64, Name: "UnregisterBroker", Min: 0, Max: 0, Served: 0},
	{Key: 65, Name: "DescribeTransactions", Min: 0, Max: 0, Served: 0},
	{Key: 66, Name: "ListTransactions", Min: 0, Max: 2, Served: 0},
	{Key: 68, Name: "ConsumerGroupHeartbeat", Min: 0, Max: 1, Served: 0},
	{Key: 69, Name: "ConsumerGroupDescribe", Min: 0, Max: 1, Served: 0},
	{Key: 74, Name: "ListConfigResources", Min: 0, Max: 1, Served: 0},
	{Key: 75, Name: "DescribeTopicPartitions", Min: 0, Max: 0, Served: 0},
	{Key: 76, Name: "ShareGroupHeartbeat", Min: 1, Max: 1, Served: 1},
	{Key: 77, Name: "ShareGroupDescribe", Min: 1, Max: 1, Served: 1},
	{Key: 78, Name: "ShareFetch", Min: 1, Max: 2, Served: 1},
	{Key: 79, Name: "ShareAcknowledge", Min: 1, Max: 2, Served: 1},
	{Key: 90, Name: "DescribeShareGroupOffsets", Min: 0, Max: 1, Served: 0},
	{Key: 91, Name: "AlterShareGroupOffsets", Min: 0, Max: 0, Served: 0},
	{Key: 92, Name: "DeleteShareGroupOffsets", Min: 0, Max: 0, Served: 0},
}

// VersionsOf returns the row of an API key; false when the broker does not
// speak it.
func VersionsOf(key int16) (APIVersion, bool) {
	i, ok := slices.BinarySearchFunc(Versions, key, func(v APIVersion, k int16) int { return int(v.Key) - int(k) })
	if !ok {
		return APIVersion{}, false
	}
	return Versions[i], true
}
