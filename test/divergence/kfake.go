package divergence

// Kfake are the differences between Leat and kfake, the broker for tests of franz-go,
// with which test/differential compares where there is no Java. In all of them Leat
// does what Kafka does, or what OnTheWire tells.
var Kfake = []Wire{
	// These change nothing.
	{
		Case: "TestRandomSequences", What: "the number of the one node",
		OnlyKafka: `.*\.(Leader|LeaderID|Replicas|ISR|ControllerID|NodeID) = 0`,
		OnlyLeat:  `.*\.(Leader|LeaderID|Replicas|ISR|ControllerID|NodeID) = 1`,
	},
	{
		Case: "TestRandomSequences", What: "an empty list or text instead of null, and the other way round",
		OnlyKafka: `.*\.(EligibleLeaderReplicas|LastKnownELR|AbortedTransactions) = null|OffsetFetch v\d+\..*\.Metadata = null`,
		OnlyLeat:  `.*\.(EligibleLeaderReplicas|LastKnownELR|AbortedTransactions) = length 0|OffsetFetch v\d+\..*\.Metadata = $`,
	},
	{
		Case: "TestRandomSequences", What: "what may be done with the cluster, and with a topic that is not there",
		OnlyKafka: `Metadata v\d+\..*AuthorizedOperations = (8184|3576)`, OnlyLeat: `Metadata v\d+\..*AuthorizedOperations = (8096|-2147483648)`,
	},
	{
		Case: "TestRandomSequences", What: "offsets beside an error",
		OnlyKafka: `(Fetch|DeleteRecords) v\d+\..*\.(HighWatermark|LastStableOffset|LogStartOffset|LowWatermark) = \d+|Produce v\d+( repeat)?\..*\.BaseOffset = 0`,
		OnlyLeat:  `(Fetch|DeleteRecords) v\d+\..*\.(HighWatermark|LastStableOffset|LogStartOffset|LowWatermark) = -1|Produce v\d+( repeat)?\..*\.BaseOffset = -1`,
	},
	{
		Case: "TestRandomSequences", What: "the log's start and the time in the answer to a batch that is sent again",
		OnlyKafka: `Produce v\d+( repeat)?\.Topics.*\.(LogStartOffset|LogAppendTime) = -1`, OnlyLeat: `Produce v\d+( repeat)?\.Topics.*\.(LogStartOffset = \d+|LogAppendTime = (now|base))`,
	},
	{
		Case: "TestRandomSequences", What: "offsets that a group does not have",
		OnlyKafka: `OffsetFetch v\d+\.(Groups/(g\d|nosuch)\.)?Topics = null`,
		OnlyLeat:  `OffsetFetch v\d+\.(Groups/(g\d|nosuch)\.)?Topics( = length|/.*( = length|\.(Offset|LeaderEpoch) = -1|\.ErrorCode = UNKNOWN_TOPIC_ID))`,
	},
	{
		Case: "TestRandomSequences", What: "topics and partitions that a request can only mean by mistake",
		OnlyKafka: `(ListOffsets|OffsetForLeaderEpoch|DescribeTopicPartitions) v\d+: the connection was closed`,
		OnlyLeat:  `(ListOffsets|OffsetForLeaderEpoch|DescribeTopicPartitions) v\d+\.`,
	},
	{
		Case: "TestRandomSequences", What: "a kind of coordinator that does not exist",
		OnlyKafka: `FindCoordinator v\d\.(Coordinators\.)?(NodeID = 0|Port = none)`, OnlyLeat: `FindCoordinator v\d\.(Coordinators\.)?(NodeID = -1|Port = some)`,
	},
	{
		Case: "TestRandomSequences", What: "which of several errors is told",
		OnlyKafka: `Produce v\d+\..*ErrorCode = (INVALID_REQUIRED_ACKS|CORRUPT_MESSAGE|INVALID_PRODUCER_EPOCH)|Fetch v\d+\..*ErrorCode = (UNKNOWN_LEADER_EPOCH|OFFSET_OUT_OF_RANGE)|Fetch v\d+\.Topics/00000000\..*ErrorCode = `,
		OnlyLeat:  `Produce v\d+\..*ErrorCode = (UNKNOWN_TOPIC_OR_PARTITION|UNKNOWN_TOPIC_ID|INVALID_RECORD|OUT_OF_ORDER_SEQUENCE_NUMBER|UNSUPPORTED_COMPRESSION_TYPE)|Fetch v\d+\..*ErrorCode = UNKNOWN_TOPIC_ID`,
	},
	{
		Case: "TestRandomSequences", What: "the configs of a topic in the answer",
		OnlyKafka: `CreateTopics v\d\.Topics(/[^/]*)?\.Configs`, OnlyLeat: `CreateTopics v\d\.Topics(/[^/]*)?\.Configs`,
	},
	{
		Case: "TestRandomSequences", What: "the error for a member, generation, group or partition that is not there, and what is told beside it",
		OnlyKafka: `(JoinGroup|LeaveGroup|SyncGroup|Heartbeat|OffsetFetch|OffsetDelete|OffsetCommit|DeleteGroups) v\d+.*\.ErrorCode = (GROUP_ID_NOT_FOUND|UNKNOWN_MEMBER_ID|ILLEGAL_GENERATION)|OffsetFetch v\d+\..*ErrorCode = ok|LeaveGroup v\d+\.Members = null|JoinGroup v\d+\.MemberID = $`,
		OnlyLeat:  `(JoinGroup|LeaveGroup|SyncGroup|Heartbeat|OffsetFetch|OffsetDelete|OffsetCommit|DeleteGroups) v\d+.*\.ErrorCode = (GROUP_ID_NOT_FOUND|UNKNOWN_MEMBER_ID|ILLEGAL_GENERATION|UNKNOWN_TOPIC_OR_PARTITION|UNKNOWN_TOPIC_ID)|OffsetFetch v\d+\..*ErrorCode = ok|LeaveGroup v\d+\.(ErrorCode = ok|Members).*|JoinGroup v\d+\.MemberID = (somebody|member \d+)`,
	},
	{
		Case: "TestRandomSequences", What: "elections: there is nobody else to elect",
		OnlyKafka: `ElectLeaders v\d\..*ErrorCode = `, OnlyLeat: `ElectLeaders v\d\..*ErrorCode = `,
	},

	// After these the two know different things.
	{
		Case: "TestRandomSequences", What: "what is refused of a topic, and with which error; which records may be deleted", Ends: true,
		OnlyKafka: `(CreateTopics|CreatePartitions|DeleteTopics) v\d+\.Topics(/[^/]*)?\.ErrorCode = |DeleteRecords v\d\..*\.ErrorCode = (ok|OFFSET_OUT_OF_RANGE)`,
		OnlyLeat:  `(CreateTopics|CreatePartitions|DeleteTopics) v\d+\.Topics(/[^/]*)?\.ErrorCode = |DeleteRecords v\d\..*\.ErrorCode = (ok|POLICY_VIOLATION)`,
	},
	{
		Case: "TestRandomSequences", What: "topics whose names are none, of this or a sequence before", Ends: true,
		OnlyKafka: `\w+ v\d+\.Topics/(\.\.|x+)\.`,
	},
	{
		Case: "TestRandomSequences", What: "a config that is named twice", Ends: true,
		OnlyKafka: `(Incremental)?AlterConfigs v\d+\..*ErrorCode = (ok|UNKNOWN_TOPIC_OR_PARTITION)`, OnlyLeat: `(Incremental)?AlterConfigs v\d+\..*ErrorCode = INVALID_REQUEST`,
	},
	{
		Case: "TestRandomSequences", What: "which configs are wrong, and the error", Ends: true,
		OnlyKafka: `(Incremental)?AlterConfigs v\d+\..*ErrorCode = `, OnlyLeat: `(Incremental)?AlterConfigs v\d+\..*ErrorCode = (INVALID_CONFIG|UNKNOWN_TOPIC_OR_PARTITION|ok)`,
	},
	{
		Case: "TestRandomSequences", What: "a member or generation that a group does not know: one side takes it", Ends: true,
		OnlyKafka: `(JoinGroup|LeaveGroup|SyncGroup|OffsetDelete|OffsetCommit|DeleteGroups) v\d+.*\.ErrorCode = (ok|REBALANCE_IN_PROGRESS)|JoinGroup v\d+\.Generation = -1|SyncGroup v\d\.|(OffsetDelete|Heartbeat) v\d.*\.ErrorCode = (REBALANCE_IN_PROGRESS|GROUP_ID_NOT_FOUND)`,
		OnlyLeat:  `(JoinGroup|LeaveGroup|SyncGroup|Heartbeat|OffsetDelete|OffsetCommit|DeleteGroups) v\d+.*\.ErrorCode = |JoinGroup v\d+\.`,
	},
	{
		Case: "TestRandomSequences", What: "the state of a group between join and sync", Ends: true,
		OnlyKafka: `(DescribeGroups|ListGroups) v\d\.Groups`, OnlyLeat: `(DescribeGroups|ListGroups) v\d\.Groups`,
	},
	{
		Case: "TestRandomSequences", What: "a producer that the partition does not know begins with another sequence than 0", Ends: true,
		OnlyKafka: `Produce v\d+.*\.ErrorCode = (OUT_OF_ORDER_SEQUENCE_NUMBER|INVALID_PRODUCER_EPOCH)`, OnlyLeat: `Produce v\d+.*\.ErrorCode = ok`,
	},
	{
		Case: "TestRandomSequences", What: "a reassignment to nodes that do not exist, and a new leader epoch after elections and reassignments of what is as it should be", Ends: true,
		OnlyKafka: `AlterPartitionAssignments v\d.*\.ErrorCode = ok|.*\.(LeaderEpoch = present\+[1-9]|ErrorCode = FENCED_LEADER_EPOCH|RecordBatches\[\d+\] = .*epoch present\+[1-9])`,
	},
	{
		Case: "TestRandomSequences", What: "acks=0 that is refused", Ends: true,
		OnlyLeat: `\w+ v\d+: the connection was closed`,
	},
	{
		Case: "TestRandomSequences", What: "a further partition of a topic id that is not there any more", Ends: true,
		OnlyKafka: `Fetch v1[3-8]\.Topics/t\d\.Partitions/\d\.ErrorCode = ok`, OnlyLeat: `Fetch v1[3-8]\.Topics/t\d\.Partitions/\d\.ErrorCode = UNKNOWN_TOPIC_ID`,
	},
	{
		Case: "TestRandomSequences", What: "a fetch that names the epoch of its last record, and a partition with an error after the limit of the answer is reached", Ends: true,
		OnlyKafka: `Fetch v1\d\..*\.(ErrorCode = ok|ErrorCode = OFFSET_OUT_OF_RANGE|DivergingEpoch)|Fetch v\d+\.Topics/t\d\.Partitions = length 1`,
		OnlyLeat:  `Fetch v1\d\..*\.(ErrorCode = OFFSET_OUT_OF_RANGE|DivergingEpoch)|Fetch v\d+\.Topics/t\d\.Partitions = length 2`,
	},

	{
		Case: "TestRandomTransactions", What: "the error for another epoch than the producer's",
		OnlyKafka: `(AddOffsetsToTxn|AddPartitionsToTxn|TxnOffsetCommit|EndTxn|Produce) v\d+.*\.ErrorCode = (PRODUCER_FENCED|INVALID_TXN_STATE)`,
		OnlyLeat:  `(AddOffsetsToTxn|AddPartitionsToTxn|TxnOffsetCommit|EndTxn|Produce) v\d+.*\.ErrorCode = (INVALID_PRODUCER_EPOCH|TRANSACTION_ABORTABLE|PRODUCER_FENCED)`,
	},
	{
		Case: "TestRandomTransactions", What: "which of several errors is told, one being that it is another's transactional id, at which kfake does not look",
		OnlyKafka: `TxnOffsetCommit v\d\..*\.ErrorCode = (INVALID_PRODUCER_ID_MAPPING|ILLEGAL_GENERATION|UNKNOWN_MEMBER_ID)`,
		OnlyLeat:  `(AddPartitionsToTxn|AddOffsetsToTxn|EndTxn|TxnOffsetCommit|Produce) v\d+.*\.ErrorCode = (INVALID_PRODUCER_ID_MAPPING|INVALID_TXN_STATE|UNKNOWN_TOPIC_OR_PARTITION)`,
	},
	{
		Case: "TestRandomTransactions", What: "another's transactional id: kfake takes it", Ends: true,
		OnlyKafka: `(AddPartitionsToTxn|AddOffsetsToTxn|EndTxn|TxnOffsetCommit|Produce) v\d+.*\.ErrorCode = ok`,
	},
	{
		Case: "TestRandomTransactions", What: "the epoch of a marker, and offsets that wait for one", Ends: true,
		OnlyKafka: `Fetch v\d+\..*attributes 30 |OffsetFetch v\d+\..*(ErrorCode = ok|Offset = \d+|Offset = -1)`,
		OnlyLeat:  `Fetch v\d+\..*attributes 30 |OffsetFetch v\d+\..*ErrorCode = (UNSTABLE_OFFSET_COMMIT|ok)`,
	},
	{
		Case: "TestRandomTransactions", What: "an InitProducerId that is wrong, how far it takes the epoch while a transaction is open", Ends: true,
		OnlyKafka: `InitProducerID v\d\.(ErrorCode = ok|ProducerID = producer|ProducerEpoch = \d)`, OnlyLeat: `InitProducerID v\d\.(ErrorCode = INVALID_REQUEST|ProducerID = -1|ProducerEpoch = (-1|\d))`,
	},
}

// OfKfake returns those that a case shows.
func OfKfake(test string) []Wire {
	var out []Wire
	for _, d := range Kfake {
		if d.Case == test {
			out = append(out, d)
		}
	}
	return out
}
