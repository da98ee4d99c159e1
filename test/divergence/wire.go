package divergence

// Wire is one difference in what a request does or answers.
type Wire struct {
	// Key is the API key it is about.
	Key int16
	// Case is the test of test/differential that shows it.
	Case string
	// What happens, and what each broker says to it; Because is why Leat does.
	What, Kafka, Leat, Because string
	// OnlyKafka and OnlyLeat are patterns (regexp, from the start) of the lines that
	// one of the two has and the other has not; "" for none.
	OnlyKafka, OnlyLeat string
	// Ends says that the two know different things from there on: what else differs in
	// that step is no matter, and a random sequence is played no further.
	Ends bool
}

// Of returns the differences that a case shows.
func Of(test string) []Wire {
	var out []Wire
	for _, d := range OnTheWire {
		if d.Case == test {
			out = append(out, d)
		}
	}
	return out
}

// OnTheWire are all of them, by key.
var OnTheWire = []Wire{
	{
		Key: 0, Case: "TestProduceRefusals", What: "bytes after the one batch of a partition", Kafka: "ignored", Leat: "INVALID_RECORD",
		Because:   "a client that sends them is wrong about its own records",
		OnlyKafka: `bytes behind v\d+\.Topics/t\.Partitions/0\.(ErrorCode|BaseOffset|LogStartOffset) = (ok|\d)`,
		OnlyLeat:  `bytes behind v\d+\.Topics/t\.Partitions/0\.(ErrorCode|BaseOffset|LogStartOffset) = (INVALID_RECORD|-1)`,
	},
	{
		Key: 0, Case: "TestProduceRefusals", What: "null records", Kafka: "no answer, ever", Leat: "INVALID_RECORD",
		Because:   "nobody should wait for ever",
		OnlyKafka: `null: no answer`, OnlyLeat: `null\.Topics`,
	},
	{
		Key: 0, Case: "TestProduceRefusals", What: "a batch that says LogAppendTime", Kafka: "stored", Leat: "INVALID_TIMESTAMP",
		Because:   "it gives every record the header's time; Kafka's own words for the error say that producers must not",
		OnlyKafka: `says LogAppendTime v\d+\.Topics/t\.Partitions/0\.(ErrorCode|BaseOffset) = (ok|\d)`,
		OnlyLeat:  `says LogAppendTime v\d+\.Topics/t\.Partitions/0\.(ErrorCode|BaseOffset) = (INVALID_TIMESTAMP|-1)`,
	},
	{
		Key: 0, Case: "TestProduceRefusals", What: "compression code 5 to 7", Kafka: "UNKNOWN_SERVER_ERROR", Leat: "INVALID_RECORD",
		Because:   "it is the client's mistake",
		OnlyKafka: `unknown codec v\d+\.Topics/t\.Partitions/0\.ErrorCode = UNKNOWN_SERVER_ERROR`,
		OnlyLeat:  `unknown codec v\d+\.Topics/t\.Partitions/0\.ErrorCode = INVALID_RECORD`,
	},
	{
		Key: 0, Case: "TestProduceRefusals", What: "what the rows above have stored", Kafka: "8 records", Leat: "none",
		Because:   "it follows from them",
		OnlyKafka: `nothing else got in\.Topics/t\.Partitions/0\.Offset = 8`, OnlyLeat: `nothing else got in\.Topics/t\.Partitions/0\.Offset = 0`,
	},
	{
		Key: 0, Case: "TestIdempotentProducer", What: "a repeat of an idempotent batch, CreateTime", Kafka: "log_append_time is the batch's largest timestamp", Leat: "-1",
		Because:   "as in the first answer: there is no time of appending",
		OnlyKafka: `(again|oldest that is remembered)\.Topics/t\.Partitions/0\.LogAppendTime = base`,
		OnlyLeat:  `(again|oldest that is remembered)\.Topics/t\.Partitions/0\.LogAppendTime = -1`,
	},
	{
		Key: 0, Case: "TestRandomSequences", What: "such a repeat in any sequence", Kafka: "log_append_time is the batch's largest timestamp", Leat: "-1",
		Because:   "as in the first answer: there is no time of appending",
		OnlyKafka: `Produce v\d+ repeat\.Topics/t\d\.Partitions/\d\.LogAppendTime = (base|now)`, OnlyLeat: `Produce v\d+ repeat\.Topics/t\d\.Partitions/\d\.LogAppendTime = -1`,
	},
	{
		Key: 0, Case: "TestIdempotentProducer", What: "a producer id with epoch -1", Kafka: "INVALID_PRODUCER_EPOCH when the producer is known", Leat: "INVALID_RECORD",
		Because:   "refused before it is compared with anything",
		OnlyKafka: `negative epoch\.Topics/t\.Partitions/0\.ErrorCode = INVALID_PRODUCER_EPOCH`,
		OnlyLeat:  `negative epoch\.Topics/t\.Partitions/0\.ErrorCode = INVALID_RECORD`,
	},
	{
		Key: 0, Case: "TestRepeatOfAnEndedTransaction", What: "a transactional batch that comes again after its transaction's end", Kafka: "INVALID_PRODUCER_EPOCH or INVALID_PRODUCER_ID_MAPPING, whatever the coordinator says", Leat: "answered as the first time",
		Because:   "it is known, and stored once",
		OnlyKafka: `Produce v13\.`, OnlyLeat: `Produce v13\.`,
	},
	{
		Key: 0, Case: "TestVersionsThatAreOnlySaid", What: "v0 to v2, which both advertise", Kafka: "closes the connection", Leat: "UNSUPPORTED_VERSION for each partition, in the shape of the version; acks=0 closes",
		Because:   "a client learns why; nobody sends them (KAFKA-18659)",
		OnlyKafka: `produce v\d: the connection was closed`, OnlyLeat: `produce v\d\.Topics.*`,
	},
	{
		Key: 1, Case: "TestFetch", What: "a limit that falls inside a batch, not the first one", Kafka: "sends the batch's beginning", Leat: "whole batches only",
		Because:   "no client can use the rest",
		OnlyKafka: `.*\.RecordBatches = cut short`,
	},
	{
		Key: 1, Case: "TestFetchLimitsOverPartitions", What: "the same over several partitions", Kafka: "sends a batch's beginning", Leat: "whole batches only",
		Because:   "no client can use the rest",
		OnlyKafka: `.*\.RecordBatches = cut short`,
	},
	{
		Key: 1, Case: "TestRandomSequences", What: "a limit that falls inside a batch, in any sequence", Kafka: "sends the batch's beginning", Leat: "whole batches only",
		Because:   "no client can use the rest",
		OnlyKafka: `Fetch v\d+\..*\.RecordBatches = cut short`,
	},
	{
		Key: 1, Case: "TestZeroTopicID", What: "two partitions of the zero topic id", Kafka: "UNKNOWN_SERVER_ERROR for the whole request", Leat: "UNKNOWN_TOPIC_ID for each partition",
		Because:   "it is one topic that is not there",
		OnlyKafka: `fetch of the zero id\.(ErrorCode = UNKNOWN_SERVER_ERROR|Topics = null)`, OnlyLeat: `fetch of the zero id\.(ErrorCode = ok|Topics)`,
	},
	{
		Key: 1, Case: "TestReplicas", What: "a fetch of a replica", Kafka: "NOT_LEADER_OR_FOLLOWER for one that it does not know", Leat: "closes the connection",
		Because:   "there are no followers",
		OnlyKafka: `fetch of a replica\.`, OnlyLeat: `fetch of a replica: the connection was closed`,
	},
	{
		Key: 1, Case: "TestAbortedOfWhatIsSent", What: "transactions that were aborted in what did not fit into the answer", Kafka: "listed", Leat: "not listed",
		Because:   "the list is for the records that are sent",
		OnlyKafka: `(one batch|no room for the second)\.Topics/t\.Partitions/0\.(AbortedTransactions(\.ProducerID|\.FirstOffset)? = |RecordBatches = cut short)`,
		OnlyLeat:  `(one batch|no room for the second)\.Topics/t\.Partitions/0\.AbortedTransactions = length 0`,
	},
	{
		Key: 1, Case: "TestAbortedOfWhatIsSent", What: "the aborted transactions of a partition that there is no room for", Kafka: "an empty list", Leat: "null",
		Because:   "there is nothing that the list could be of",
		OnlyKafka: `no room for the second\.Topics/t\.Partitions/1\.AbortedTransactions = length 0`,
		OnlyLeat:  `no room for the second\.Topics/t\.Partitions/1\.AbortedTransactions = null`,
	},
	{
		Key: 2, Case: "TestReplicas", What: "ListOffsets of a replica", Kafka: "served", Leat: "closes the connection",
		Because:   "there are no followers",
		OnlyKafka: `list offsets of a replica\.`, OnlyLeat: `list offsets of a replica: the connection was closed`,
	},
	{
		Key: 2, Case: "TestListOffsets", What: "-3 (largest timestamp) after DeleteRecords", Kafka: "a record below the log start, if it is the newest", Leat: "the newest that can be read",
		Because:   "nobody can read the other",
		OnlyKafka: `gone -3 .*\.(Timestamp = base|Offset = 2|LeaderEpoch = present)`, OnlyLeat: `gone -3 .*\.(Timestamp|Offset|LeaderEpoch) = `,
	},
	{
		Key: 2, Case: "TestDeleteRecords", What: "the same after each step of DeleteRecords", Kafka: "a record below the log start, if it is the newest", Leat: "the newest that can be read",
		Because:   "nobody can read the other",
		OnlyKafka: `newest after .*\.(Timestamp = base|Offset = 2|LeaderEpoch = present)`, OnlyLeat: `newest after .*\.(Timestamp|Offset|LeaderEpoch) = `,
	},
	{
		Key: 3, Case: "TestAutoCreate", What: "a topic that is made by Metadata", Kafka: "UNKNOWN_TOPIC_OR_PARTITION first, there a moment later", Leat: "there, with its id, in the same answer",
		Because:   "one node has nobody to wait for",
		OnlyKafka: `made by metadata v\d+\.`, OnlyLeat: `made by metadata v\d+\.`,
	},
	{
		Key: 11, Case: "TestJoinWithoutProtocols", What: "a first join without protocols, which is refused", Kafka: "leaves an empty group behind", Leat: "leaves nothing",
		Because:   "a request that is refused has no effect",
		OnlyKafka: `groups after it\.Groups`, OnlyLeat: `groups after it\.Groups = null`,
	},
	{
		Key: 11, Case: "TestJoinThatCannotBeRead", What: "a classic member whose metadata cannot be read joins a group of the consumer protocol", Kafka: "UNKNOWN_SERVER_ERROR, if need be after it was given an id", Leat: "INCONSISTENT_GROUP_PROTOCOL at once",
		Because:   "it is the client's mistake, and it need not come twice to hear of it",
		OnlyKafka: `(as nobody|as somebody|with its id)\.`,
		OnlyLeat:  `(as nobody|as somebody)\.(ErrorCode = INCONSISTENT_GROUP_PROTOCOL|MemberID = )`,
	},
	{
		Key: 11, Case: "TestRefusedJoinOfAnEmptyGroup", What: "a classic join that is refused, in a group of the consumer protocol that is empty", Kafka: "the group is gone", Leat: "the group is as it was",
		Because:   "a request that is refused has no effect",
		OnlyKafka: `b leaves -1\.ErrorCode = GROUP_ID_NOT_FOUND|after it\.`, OnlyLeat: `b leaves -1\.ErrorCode = UNKNOWN_MEMBER_ID|after it\.`,
	},
	{
		Key: 18, Case: "TestApiVersions", What: "features of KRaft (`metadata.version`, `kraft.version`, `eligible.leader.replicas.version`) and of Streams groups (`streams.version`)", Kafka: "there", Leat: "not there",
		Because:   "there is no quorum, and no Streams groups",
		OnlyKafka: `versions v\d\.(Supported|Finalized)Features(/(eligible\.leader\.replicas|kraft|metadata|streams)\.version\.| = length \d)`,
		OnlyLeat:  `versions v\d\.(Supported|Finalized)Features = `,
	},
	{
		Key: 18, Case: "TestApiVersions", What: "the level of share.version", Kafka: "1", Leat: "2, as Kafka 4.4 has it",
		Because:   "dead letters of share groups are here (KIP-1191)",
		OnlyKafka: `versions v\d\.(Supported|Finalized)Features/share\.version\.M..Version(Level)? = 1`,
		OnlyLeat:  `versions v\d\.(Supported|Finalized)Features/share\.version\.M..Version(Level)? = 2`,
	},
	{
		Key: 19, Case: "TestCollidingTopics", What: "`a.b` and `a_b` in one CreateTopics", Kafka: "both are made", Leat: "the second is refused",
		Because:   "they collide, as they do in two requests",
		OnlyKafka: `colliding\.Topics/a_b\.`, OnlyLeat: `colliding\.Topics/a_b\.`,
	},
	{
		Key: 19, Case: "TestRandomSequences", What: "the configs in the answer", Kafka: "those of 4.3.1", Leat: "`errors.deadletterqueue.group.enable` of 4.4, too",
		Because:   "dead letters of share groups are here (KIP-1191)",
		OnlyKafka: `CreateTopics v\d\.Topics/t\d\.Configs = length 33`, OnlyLeat: `CreateTopics v\d\.Topics/t\d\.Configs(/errors\.| = length 34)`,
	},
	{
		Key: 19, Case: "TestRandomSequences", What: "the source of min.insync.replicas", Kafka: "the cluster's dynamic config, set by eligible.leader.replicas.version", Leat: "the default",
		Because:   "there are no eligible leader replicas",
		OnlyKafka: `CreateTopics v\d\.Topics/t\d\.Configs/min\.insync\.replicas\.Source = 3`, OnlyLeat: `CreateTopics v\d\.Topics/t\d\.Configs/min\.insync\.replicas\.Source = 5`,
	},
	{
		Key: 26, Case: "TestEndOfAFencedProducer", What: "v5: a producer that another one has fenced ends its transaction before that one has its epoch", Kafka: "takes it for a retry: INVALID_TXN_STATE for a commit, for an abort the epoch after its own", Leat: "PRODUCER_FENCED, as a moment later and as up to v4",
		Because:   "it is fenced, and must not go on with an epoch that it is told",
		OnlyKafka: `commit (true|false) v5: the first ends\.(ErrorCode = (INVALID_TXN_STATE|ok)|ProducerID = |ProducerEpoch = )`,
		OnlyLeat:  `commit (true|false) v5: the first ends\.(ErrorCode = PRODUCER_FENCED|ProducerID = |ProducerEpoch = )`,
	},
	{
		Key: 28, Case: "TestRefusedOffsetsOfATransaction", What: "v5: offsets that are refused for their member", Kafka: "the group is in the transaction all the same", Leat: "it is not",
		Because:   "a request that is refused has no effect",
		OnlyKafka: `after it, without adding them\..*ErrorCode = ok`, OnlyLeat: `after it, without adding them\..*ErrorCode = INVALID_TXN_STATE`,
	},
	{
		Key: 28, Case: "TestOffsetsOfAnotherTransaction", What: "offsets in the name of a transactional id that the producer does not have, once a transaction of its own is in the group", Kafka: "stored", Leat: "INVALID_PRODUCER_ID_MAPPING, as before",
		Because:   "whose offsets they are does not depend on what else is going on",
		OnlyKafka: `offsets 2 v\d\.Topics/t\.Partitions/0\.ErrorCode = ok`, OnlyLeat: `offsets 2 v\d\.Topics/t\.Partitions/0\.ErrorCode = INVALID_PRODUCER_ID_MAPPING`,
	},
	{
		Key: 32, Case: "TestRandomSequences", What: "where the default of retention.ms, segment.ms and segment.jitter.ms comes from", Kafka: "is not told, as the first broker config that could stand in has none", Leat: "log.retention.hours and the like",
		Because:   "that is where the value comes from",
		OnlyKafka: `DescribeConfigs v\d\..*/(retention|segment|segment\.jitter)\.ms\.ConfigSynonyms = (null|length \d)`,
		OnlyLeat:  `DescribeConfigs v\d\..*/(retention|segment|segment\.jitter)\.ms\.ConfigSynonyms( = length \d|/log\.)`,
	},
	{
		Key: 32, Case: "TestRandomSequences", What: "the source of min.insync.replicas", Kafka: "the cluster's dynamic config, set by eligible.leader.replicas.version", Leat: "the default",
		Because:   "there are no eligible leader replicas",
		OnlyKafka: `DescribeConfigs v\d\..*/min\.insync\.replicas\.(Source = DYNAMIC_DEFAULT_BROKER_CONFIG|IsDefault = false|ConfigSynonyms)`,
		OnlyLeat:  `DescribeConfigs v\d\..*/min\.insync\.replicas\.(Source = DEFAULT_CONFIG|IsDefault = true|ConfigSynonyms)`,
	},
	{
		Key: 32, Case: "TestRandomSequences", What: "the configs of a topic", Kafka: "those of 4.3.1", Leat: "`errors.deadletterqueue.group.enable` of 4.4, too",
		Because:   "dead letters of share groups are here (KIP-1191)",
		OnlyKafka: `DescribeConfigs v\d\.Resources(/.*)?\.Configs = length 33`, OnlyLeat: `DescribeConfigs v\d\.Resources(/.*)?\.Configs(/errors\.| = length 34)`,
	},
	{
		Key: 35, Case: "TestSizeOfWhatTheBrokerCompressed", What: "the size of what the broker has compressed itself", Kafka: "by zlib", Leat: "by another encoder of the same format",
		Because:   "the format leaves it to the encoder",
		OnlyKafka: `gzip\.Dirs\.Topics/t\.Partitions/0\.Size = \d+`, OnlyLeat: `gzip\.Dirs\.Topics/t\.Partitions/0\.Size = \d+`,
	},
	{
		Key: 44, Case: "TestUnknownBrokerConfig", What: "an unknown config set for the broker", Kafka: "accepted", Leat: "INVALID_CONFIG",
		Because:   "a typing error should not look like success",
		OnlyKafka: `unknown broker config.*ErrorCode = ok`, OnlyLeat: `unknown broker config.*ErrorCode = INVALID_CONFIG`,
	},
	{
		Key: 49, Case: "TestAlterClientQuotas", What: "an entity that is named twice", Kafka: "INVALID_REQUEST, and what came first is carried out", Leat: "INVALID_REQUEST, and nothing is",
		Because:   "who is told that it was refused goes by that",
		OnlyKafka: `after twice, all false\.Entries( = length |\.(Entity|Values))`, OnlyLeat: `after twice, all false\.Entries = length `,
	},
	{
		Key: 55, Case: "TestDescribeQuorum", What: "the end of the metadata's log", Kafka: "that of `__cluster_metadata`", Leat: "that of the catalogue's log",
		Because:   "it is another log with other records",
		OnlyKafka: `the quorum v\d\..*\.(HighWatermark|LogEndOffset) = \d+`, OnlyLeat: `the quorum v\d\..*\.(HighWatermark|LogEndOffset) = \d+`,
	},
	{
		Key: 55, Case: "TestDescribeQuorum", What: "the voters' listeners", Kafka: "the controller's", Leat: "the one that the client came by",
		Because:   "there is none for controllers: the node talks to itself",
		OnlyKafka: `the quorum v2\.Nodes\.Listeners/`, OnlyLeat: `the quorum v2\.Nodes\.Listeners/`,
	},
	{
		Key: 57, Case: "TestUpdateFeatures", What: "taking a feature down", Kafka: "possible for most", Leat: "INVALID_UPDATE_VERSION",
		Because:   "features are fixed: what they switch on is there, and there is no older behaviour to go back to",
		OnlyKafka: `"(transaction|group|share)\.version" to \d by [23] v\d\.(ErrorCode = ok|Results)`,
		OnlyLeat:  `"(transaction|group|share)\.version" to \d by [23] v\d\.(ErrorCode = INVALID_UPDATE_VERSION|Results)`,
	},
	{
		Key: 57, Case: "TestUpdateFeatures", What: "features of KRaft and of Streams groups", Kafka: "known", Leat: "INVALID_UPDATE_VERSION",
		Because:   "no quorum, no ELR and no Streams groups are here",
		OnlyKafka: `"(kraft|streams|eligible\.leader\.replicas|metadata)\.version" to \d+ by \d v\d\.(ErrorCode = ok|Results)`,
		OnlyLeat:  `"(kraft|streams|eligible\.leader\.replicas|metadata)\.version" to \d+ by \d v\d\.(ErrorCode = INVALID_UPDATE_VERSION|Results)`,
	},
	{
		Key: 57, Case: "TestUpdateFeatures", What: "the level of share.version that can be asked for", Kafka: "1", Leat: "2, as Kafka 4.4 has it",
		Because:   "dead letters of share groups are here (KIP-1191)",
		OnlyKafka: `"share\.version" to [12] by \d v\d\.(ErrorCode|Results)`, OnlyLeat: `"share\.version" to [12] by \d v\d\.(ErrorCode|Results)`,
	},
	{
		Key: 61, Case: "TestRandomTransactions", What: "last_timestamp of a producer", Kafka: "the newest timestamp of its last batch", Leat: "when that came",
		Because:   "the time decides when the producer is forgotten, and a batch's timestamps may be years old",
		OnlyKafka: `DescribeProducers v0\..*\.LastTimestamp = `, OnlyLeat: `DescribeProducers v0\..*\.LastTimestamp = now`,
	},
	{
		Key: 74, Case: "TestListConfigResources", What: "the broker's loggers", Kafka: "listed, with levels that can be set", Leat: "not listed",
		Because:   "Leat has one logger, whose level is given at start",
		OnlyKafka: `resources of .* v1\.ConfigResources(/8:1.*| = length \d)`, OnlyLeat: `resources of .* v1\.ConfigResources = `,
	},
	{
		Key: 8, Case: "TestConsumerGroup", What: "a member's commit with an epoch before its newest, for a partition that it has had since", Kafka: "4.3.1: STALE_MEMBER_EPOCH; 4.4: stored", Leat: "stored",
		Because:   "KIP-1251: that the epoch has moved on is no reason to lose what the member did",
		OnlyKafka: `a commits with the epoch before\.Topics/t\.Partitions/0\.ErrorCode = STALE_MEMBER_EPOCH`,
		OnlyLeat:  `a commits with the epoch before\.Topics/t\.Partitions/0\.ErrorCode = ok`,
	},
	{
		Key: 69, Case: "TestConsumerGroup", What: "the assignment epoch of a group that has become empty", Kafka: "4.3.1: the one before; 4.4: the group's", Leat: "the group's",
		Because:   "nobody is to be assigned anything: the group is not behind",
		OnlyKafka: `empty\.Groups/t-group\.AssignmentEpoch = 4`,
		OnlyLeat:  `empty\.Groups/t-group\.AssignmentEpoch = 5`,
	},
	{
		Key: 69, Case: "TestConsumerGroupStatic", What: "the same, of a group with a static member", Kafka: "4.3.1: the one before; 4.4: the group's", Leat: "the group's",
		Because:   "as above",
		OnlyKafka: `empty\.Groups/t-group\.AssignmentEpoch = 2`,
		OnlyLeat:  `empty\.Groups/t-group\.AssignmentEpoch = 3`,
	},
	{
		Key: 68, Case: "TestConsumerGroupStatic", What: "a static member joins again with the id that it has, without having left", Kafka: "UNRELEASED_INSTANCE_ID", Leat: "it joins",
		Because:   "it is the same process, which was told to begin anew (FENCED_MEMBER_EPOCH) or lost an answer",
		OnlyKafka: `b joins as one from 2\.(ErrorCode = UNRELEASED_INSTANCE_ID|MemberID = null|MemberEpoch = 0|HeartbeatIntervalMillis = 0|Assignment = null)`,
		OnlyLeat:  `b joins as one from 2\.(ErrorCode = ok|MemberID = b|MemberEpoch = 2|HeartbeatIntervalMillis = 5000|Assignment\.Topics.*)`,
	},
	{
		Key: 68, Case: "TestConsumerGroupAssignor", What: "most members want another assignor", Kafka: "4.3.1: it counts with the next epoch; 4.4: at once", Leat: "it counts at once",
		Because:   "a wish that waits for somebody else's change would be forgotten by then",
		OnlyKafka: `.*(MemberEpoch|Epoch|AssignmentEpoch|epoch) = .*|by range .*|both .*`,
		OnlyLeat:  `.*(MemberEpoch|Epoch|AssignmentEpoch|epoch) = .*|by range .*|both .*`,
	},
	{
		Key: 68, Case: "TestConsumerGroup", What: "the interval that a member is told while it waits for partitions of another one", Kafka: "the usual", Leat: "a fifth of it",
		Because:   "it would hear of them up to an interval late",
		OnlyKafka: `.*\.HeartbeatIntervalMillis = 5000`,
		OnlyLeat:  `.*\.HeartbeatIntervalMillis = 1000`,
	},
	{
		Key: 68, Case: "TestExpressionFindsTopics", What: "a member joins with an expression that the group does not know", Kafka: "looks it up after it has answered: nothing is assigned yet, and the epoch that counts is the next", Leat: "has looked it up in the same answer",
		Because:   "there is nothing to wait for",
		OnlyKafka: `a joins\.(MemberEpoch = 1|Assignment\.Topics = null)`, OnlyLeat: `a joins\.(MemberEpoch = 2|Assignment\.Topics)`,
	},
	{
		Key: 68, Case: "TestConsumerGroupEpochBefore", What: "a member goes on from the epoch before, after it has waited for partitions with the newer one", Kafka: "FENCED_MEMBER_EPOCH", Leat: "taken for an answer that was lost, as without the wait",
		Because:   "it has nothing that it should not have, and need not begin anew",
		OnlyKafka: `the epoch before\.(ErrorCode = FENCED_MEMBER_EPOCH|MemberID = null|MemberEpoch = 0|HeartbeatIntervalMillis = 0)`,
		OnlyLeat:  `the epoch before\.(ErrorCode = ok|MemberID = b|MemberEpoch = 3|HeartbeatIntervalMillis = 1000)`,
	},
	{
		Key: 77, Case: "TestRandomShareGroups", What: "the assignment epoch of a group that has become empty", Kafka: "4.3.1: the one before; 4.4: the group's", Leat: "the group's",
		Because:   "nobody is to be assigned anything: the group is not behind",
		OnlyKafka: `ShareGroupDescribe v1 of nobody\.Groups/g\d\.AssignmentEpoch = settled-1`,
		OnlyLeat:  `ShareGroupDescribe v1 of nobody\.Groups/g\d\.AssignmentEpoch = settled\+0`,
	},
	{
		Key: 78, Case: "TestShareGroupEdges", What: "a share fetch of a topic id that is not there", Kafka: "UNKNOWN_SERVER_ERROR for the whole request", Leat: "UNKNOWN_TOPIC_ID for its partitions",
		Because:   "that is what it is",
		OnlyKafka: `a topic that is not there\.`, OnlyLeat: `a topic that is not there\.(ErrorCode = ok|AcquisitionLock|Topics = |Topics/00000000\.)`,
	},
	{
		Key: 78, Case: "TestShareGroupEdges", What: "an acquire mode that is none", Kafka: "UNKNOWN_SERVER_ERROR", Leat: "INVALID_REQUEST",
		Because:   "it is the client's mistake",
		OnlyKafka: `an acquire mode that is none\.ErrorCode = UNKNOWN_SERVER_ERROR`, OnlyLeat: `an acquire mode that is none\.ErrorCode = INVALID_REQUEST`,
	},
	{
		Key: 78, Case: "TestShareGroupEdges", What: "max_records of 1, where whole batches are taken and part of one has been delivered before", Kafka: "the rest of the batch, too", Leat: "one record",
		Because:   "more than was asked for is delivered only where a batch is delivered whole",
		OnlyKafka: `at most one\.Topics/t0\.Partitions/0\.AcquiredRecords(\.| = length 2)`, OnlyLeat: `at most one\.Topics/t0\.Partitions/0\.AcquiredRecords = length 1`,
	},
	{
		Key: 78, Case: "TestShareGroupEdges", What: "a share fetch of who has left the group, and not ended its session", Kafka: "the session goes on", Leat: "SHARE_SESSION_NOT_FOUND",
		Because:   "who has left has nothing",
		OnlyKafka: `who has left fetches\.`, OnlyLeat: `who has left fetches\.(ErrorCode = SHARE_SESSION_NOT_FOUND|AcquisitionLockTimeoutMillis = 0|Topics = null)`,
	},
	{
		Key: 79, Case: "TestShareGroupEdges", What: "a record that is renewed twice in one request", Kafka: "renewed", Leat: "INVALID_RECORD_STATE",
		Because:   "each record is spoken of once",
		OnlyKafka: `renewed twice\.Topics/t0\.Partitions/0\.ErrorCode = ok`, OnlyLeat: `renewed twice\.Topics/t0\.Partitions/0\.ErrorCode = INVALID_RECORD_STATE`,
	},
	{
		Key: 90, Case: "TestShareGroupEdges", What: "share offsets of a topic that is not there", Kafka: "-1, without an error", Leat: "UNKNOWN_TOPIC_OR_PARTITION",
		Because:   "a typing error should not look like a group that has not begun",
		OnlyKafka: `offsets of a topic that is not there\..*ErrorCode = ok`, OnlyLeat: `offsets of a topic that is not there\..*ErrorCode = UNKNOWN_TOPIC_OR_PARTITION`,
	},
	{
		Key: 79, Case: "TestShareGroupEdges", What: "an acknowledgement of records that nobody holds", Kafka: "INVALID_RECORD_STATE (121) if they are in its cache, else INVALID_REQUEST (42)", Leat: "INVALID_REQUEST, if some of them were never delivered",
		Because:   "what is in a cache is no concern of the client's",
		OnlyKafka: `Share(Acknowledge|Fetch) v\d( of a batch that was begun)+\.Topics/t\d\.Partitions/\d\.(ErrorCode = INVALID_RECORD_STATE|AcknowledgeErrorCode = 121)`,
		OnlyLeat:  `Share(Acknowledge|Fetch) v\d( of a batch that was begun)+\.Topics/t\d\.Partitions/\d\.(ErrorCode = INVALID_REQUEST|AcknowledgeErrorCode = 42)`,
	},
	{
		Key: 79, Case: "TestShareGroupEdges", What: "an acknowledgement that begins before where the group stands and ends behind it, when all that was delivered has come to its end", Kafka: "UNKNOWN_SERVER_ERROR for the whole request: it looks for what is not in its cache", Leat: "INVALID_REQUEST for the partition",
		Because:   "it speaks of records that were never delivered, and other partitions have nothing to do with it",
		OnlyKafka: `Share(Acknowledge|Fetch) v\d\.(ErrorCode = UNKNOWN_SERVER_ERROR|Topics = null|AcquisitionLockTimeoutMillis = 0)`,
		OnlyLeat:  `Share(Acknowledge|Fetch) v\d\.(ErrorCode = ok|Topics = |Topics/t\d\.Partitions = length 1|Topics/t\d\.Partitions/\d\.(ErrorCode = INVALID_REQUEST|AcknowledgeErrorCode = 42|CurrentLeader))`,
		Ends:      true,
	},
	{
		Key: 90, Case: "TestRandomShareGroups", What: "the start offset of a group, and the lag", Kafka: "as of its last write of state", Leat: "where the group stands",
		Because:   "who asks wants to know what is left to do",
		OnlyKafka: `DescribeShareGroupOffsets v\d\.Groups/g\d\.Topics/t\d\.Partitions/\d\.(StartOffset|Lag) = \d+`,
		OnlyLeat:  `DescribeShareGroupOffsets v\d\.Groups/g\d\.Topics/t\d\.Partitions/\d\.(StartOffset|Lag) = \d+`,
	},
	{
		Key: 69, Case: "TestConsumerGroupWithoutHeartbeat", What: "a member has left, and nobody has said anything since", Kafka: "the rest is assigned with the next heartbeat", Leat: "at once",
		Because:   "who is left has nothing to do with it",
		OnlyKafka: `a has left(\.Groups/t-group\.(State|AssignmentEpoch|Members/b\.TargetAssignment)| b = )`,
		OnlyLeat:  `a has left(\.Groups/t-group\.(State|AssignmentEpoch|Members/b\.TargetAssignment)| b = )`,
	},
	{
		Key: 68, Case: "TestConsumerGroupEpochBefore", What: "the interval that a member is told while it waits for partitions of another one", Kafka: "the usual", Leat: "a fifth of it",
		Because:   "it would hear of them up to an interval late",
		OnlyKafka: `.*\.HeartbeatIntervalMillis = 5000`,
		OnlyLeat:  `.*\.HeartbeatIntervalMillis = 1000`,
	},
	{
		Key: 68, Case: "TestConsumerGroupWithoutHeartbeat", What: "the interval that a member is told while it waits for partitions of another one", Kafka: "the usual", Leat: "a fifth of it",
		Because:   "it would hear of them up to an interval late",
		OnlyKafka: `.*\.HeartbeatIntervalMillis = 5000`,
		OnlyLeat:  `.*\.HeartbeatIntervalMillis = 1000`,
	},
	{
		Key: 69, Case: "TestRandomConsumerGroups", What: "the assignment epoch of any group that has become empty", Kafka: "4.3.1: the one before; 4.4: the group's", Leat: "the group's",
		Because:   "nobody is to be assigned anything: the group is not behind",
		OnlyKafka: `ConsumerGroupDescribe v\d of nobody\.Groups/g\d\.AssignmentEpoch = \d+`,
		OnlyLeat:  `ConsumerGroupDescribe v\d of nobody\.Groups/g\d\.AssignmentEpoch = \d+`,
	},
	{
		Key: 68, Case: "TestRandomConsumerGroups", What: "the interval that a member is told while it waits for partitions of another one", Kafka: "the usual", Leat: "a fifth of it",
		Because:   "it would hear of them up to an interval late",
		OnlyKafka: `ConsumerGroupHeartbeat v\d\.HeartbeatIntervalMillis = [56]000`,
		OnlyLeat:  `ConsumerGroupHeartbeat v\d\.HeartbeatIntervalMillis = 1[02]00`,
	},
	{
		Key: 68, Case: "TestConsumerGroupSubscriptions", What: "the interval that a member is told while it waits for partitions of another one", Kafka: "the usual", Leat: "a fifth of it",
		Because:   "it would hear of them up to an interval late",
		OnlyKafka: `.*\.HeartbeatIntervalMillis = 5000`,
		OnlyLeat:  `.*\.HeartbeatIntervalMillis = 1000`,
	},
	{
		Key: 68, Case: "TestConsumerGroupAssignor", What: "the interval that a member is told while it waits for partitions of another one", Kafka: "the usual", Leat: "a fifth of it",
		Because:   "it would hear of them up to an interval late",
		OnlyKafka: `.*\.HeartbeatIntervalMillis = 5000`,
		OnlyLeat:  `.*\.HeartbeatIntervalMillis = 1000`,
	},
	{
		Key: 68, Case: "TestConsumerGroupUpgrade", What: "the interval that a member is told while it waits for partitions of another one", Kafka: "the usual", Leat: "a fifth of it",
		Because:   "it would hear of them up to an interval late",
		OnlyKafka: `.*\.HeartbeatIntervalMillis = 5000`,
		OnlyLeat:  `.*\.HeartbeatIntervalMillis = 1000`,
	},
}
