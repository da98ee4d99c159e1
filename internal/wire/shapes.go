package wire

// never is the flexible version of requests that have none.
const never = anyVersion

// shapes holds the body of every request that is served, in the field order of
// Kafka's *Request.json:
//
//	1 2 4 8   an integer (or bool) of so many bytes     u  a topic id, 16 bytes
//	s  a string                B  bytes                 [x]  an array of x
//	{x y}  a struct            ?{x y}  a struct that may be null
//	x@3+  from version 3 on    x@8-10  versions 8 to 10     #0:x  tagged field 0
//
// A test compares each with what kmsg writes.
var shapes = map[int16]shape{
	0:  parseShape(9, `s@3+ 2 4 [{s@0-12 u@13+ [{4 B}]}]`),                                                                                                // Produce
	1:  parseShape(12, `4@0-14 4 4 4@3+ 1@4+ 4@7+ 4@7+ [{s@0-12 u@13+ [{4 4@9+ 8 4@12+ 8@5+ 4 #0:u #1:8}]}] [{s@7-12 u@13+ [4]}]@7+ s@11+ #0:s #1:{4 8}`), // Fetch
	2:  parseShape(6, `4 1@2+ [{s [{4 4@4+ 8 4@0-0}]}] 4@10+`),                                                                                            // ListOffsets
	3:  parseShape(9, `[{u@10+ s}] 1@4+ 1@8-10 1@8+`),                                                                                                     // Metadata
	8:  parseShape(8, `s 4@1+ s@1+ s@7+ 8@2-4 [{s@0-9 u@10+ [{4 8 8@1-1 4@6+ s}]}]`),                                                                      // OffsetCommit
	9:  parseShape(6, `s@0-7 [{s [4]}]@0-7 [{s s@9+ 4@9+ [{s@8-9 u@10+ [4]}]}]@8+ 1@7+`),                                                                  // OffsetFetch
	10: parseShape(3, `s@0-3 1@1+ [s]@4+`),                                                                                                                // FindCoordinator
	11: parseShape(6, `s 4 4@1+ s s@5+ s [{s B}] s@8+`),                                                                                                   // JoinGroup
	12: parseShape(4, `s 4 s s@3+`),                                                                                                                       // Heartbeat
	13: parseShape(4, `s s@0-2 [{s s s@5+}]@3+`),                                                                                                          // LeaveGroup
	14: parseShape(4, `s 4 s s@3+ s@5+ s@5+ [{s B}]`),                                                                                                     // SyncGroup
	15: parseShape(5, `[s] 1@3+`),                                                                                                                         // DescribeGroups
	16: parseShape(3, `[s]@4+ [s]@5+`),                                                                                                                    // ListGroups
	18: parseShape(3, `s@3+ s@3+ s@5+ 4@5+`),                                                                                                              // ApiVersions
	19: parseShape(5, `[{s 4 2 [{4 [4]}] [{s s}]}] 4 1@1+`),                                                                                               // CreateTopics
	20: parseShape(4, `[s]@0-5 [{s u}]@6+ 4`),                                                                                                             // DeleteTopics
	21: parseShape(2, `[{s [{4 8}]}] 4`),                                                                                                                  // DeleteRecords
	22: parseShape(2, `s 4 8@3+ 2@3+`),                                                                                                                    // InitProducerID
	23: parseShape(4, `4@3+ [{s [{4 4@2+ 4}]}]`),                                                                                                          // OffsetForLeaderEpoch
	24: parseShape(3, `s@0-3 8@0-3 2@0-3 [{s [4]}]@0-3 [{s 8 2 1 [{s [4]}]}]@4+`),
	25: parseShape(3, `s 8 2 s`),
	26: parseShape(3, `s 8 2 1`),
	27: parseShape(1, `[{8 2 1 [{s [4]}] 4 1@2+}]`),
	28: parseShape(3, `s s 8 2 4@3+ s@3+ s@3+ [{s@0-5 u@6+ [{4 8 4@2+ s}]}]`),
	61: parseShape(0, `[{s [4]}]`),
	65: parseShape(0, `[s]`),
	66: parseShape(0, `[s] [8] 8@1+ s@2+`),
	32: parseShape(4, `[{1 s [s]}] 1@1+ 1@3+`),                                       // DescribeConfigs
	33: parseShape(2, `[{1 s [{s s}]}] 1`),                                           // AlterConfigs
	35: parseShape(2, `[{s [4]}]`),                                                   // DescribeLogDirs
	37: parseShape(2, `[{s 4 [{[4]}]}] 4 1`),                                         // CreatePartitions
	42: parseShape(2, `[s]`),                                                         // DeleteGroups
	43: parseShape(2, `1@1+ [{s [4]}] 4`),                                            // ElectLeaders
	44: parseShape(1, `[{1 s [{s 1 s}]}] 1`),                                         // IncrementalAlterConfigs
	45: parseShape(0, `4 1@1+ [{s [{4 [4]}]}]`),                                      // AlterPartitionReassignments
	46: parseShape(0, `4 [{s [4]}]`),                                                 // ListPartitionReassignments
	47: parseShape(never, `s [{s [{4}]}]`),                                           // OffsetDelete
	48: parseShape(1, `[{s 1 s}] 1`),                                                 // DescribeClientQuotas
	49: parseShape(1, `[{[{s s}] [{s 8 1}]}] 1`),                                     // AlterClientQuotas
	55: parseShape(0, `[{s [{4}]}]`),                                                 // DescribeQuorum
	57: parseShape(0, `4 [{s 2 1@0-0 1@1+}] 1@1+`),                                   // UpdateFeatures
	60: parseShape(0, `1 1@1+ 1@2+`),                                                 // DescribeCluster
	64: parseShape(0, `4`),                                                           // UnregisterBroker
	68: parseShape(0, `s s 4 s s 4 [s] s@1+ s [{u [4]}]`),                            // ConsumerGroupHeartbeat
	69: parseShape(0, `[s] 1`),                                                       // ConsumerGroupDescribe
	74: parseShape(0, `[1]@1+`),                                                      // ListConfigResources
	75: parseShape(0, `[{s}] 4 ?{s 4}`),                                              // DescribeTopicPartitions
	76: parseShape(0, `s s 4 s [s]`),                                                 // ShareGroupHeartbeat
	77: parseShape(0, `[s] 1`),                                                       // ShareGroupDescribe
	78: parseShape(0, `s s 4 4 4 4 4 4 1@2+ 1@2+ [{u [{4 [{8 8 [1]}]}]}] [{u [4]}]`), // ShareFetch
	79: parseShape(0, `s s 4 1@2+ [{u [{4 [{8 8 [1]}]}]}]`),                          // ShareAcknowledge
	90: parseShape(0, `[{s [{s [4]}]}]`),                                             // DescribeShareGroupOffsets
	91: parseShape(0, `s [{s [{4 8}]}]`),                                             // AlterShareGroupOffsets
	92: parseShape(0, `s [{s}]`),                                                     // DeleteShareGroupOffsets
}
