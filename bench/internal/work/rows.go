package work

// kafkaWire are the peers that speak Kafka's protocol.
var (
	everyone  = append(append([]string(nil), kafkaWire...), "nats", "nats-sync", "rabbitmq")
	kafkaWire = []string{"leat", "leat-relaxed", "kfake", "kfake-disk", "kfake-sync", "kafka", "kafka-fsync"}
	batchers  = []string{"leat", "kfake", "kafka", "kafka-fsync"}
	leat      = []string{"leat"}
	logs4     = []string{"leat", "kfake", "kafka", "kafka-fsync"}
	logs      = []string{"leat", "kfake-disk", "kafka"}
)

// once is for rows that take their samples themselves.
var once = map[string]int{"": 1}

// Rows are all workloads, in the order of the report. They share state from one round
// to the next; remove frees it at the end.
func Rows() (rows []Row, remove func() error) {
	big := newBigLogs()
	kib, small, e2e := newConsumeRow(1024, false), newConsumeRow(100, true), newEndToEnd()
	return []Row{
		{Name: "sync64", About: "64 producers of 1 KiB, each waiting for every ack, on 1 partition", Peers: everyone, Measure: syncRow(1), Bare: bareSync},
		{Name: "sync64p64", About: "the same, on 64 partitions", Peers: everyone, Measure: syncRow(syncProducers)},
		{Name: "sync1000", About: "the same, on 1,000 partitions created beforehand: the first record of each, then 10 s more", Peers: []string{"leat", "kfake", "kafka"}, Measure: manyRow},
		{Name: "one", About: "one producer of 1 KiB that waits for each ack", Peers: everyone, Measure: oneRow, Bare: bareOne},
		{Name: "batch100", About: "batched produce, records of 100 B, acks=all, 4 partitions", Peers: batchers, Measure: batchRow(100), Bare: bareBatch},
		{Name: "batch1k", About: "batched produce, records of 1 KiB, acks=all, 4 partitions", Peers: batchers, Measure: batchRow(1024), Bare: bareBatch},
		{Name: "consume", About: "consume records of 1 KiB from 4 partitions: from disk, from the page cache, from the hot tail, ten groups at once from disk", Peers: logs, Setup: kib.setup, Measure: kib.measure, Teardown: kib.teardown, Bare: bareConsume},
		{Name: "consume100", About: "the same, records of 100 B: from disk and from the page cache", Peers: []string{"leat", "kafka"}, Setup: small.setup, Measure: small.measure, Teardown: small.teardown},
		{Name: "e2e", About: "from due to consumed, records of 1 KiB, linger 0: at 2,000/s and at half of the least maximum of the peers", Peers: []string{"leat", "kfake", "kafka"}, Setup: e2e.setup, Measure: e2e.measure},
		{Name: "fixed50k", About: "50,000 records of 100 B per second, linger 5 ms: from due to acked", Peers: logs4, Measure: fixedRow},
		{Name: "big8m", About: "records of 8 MiB, 4 in flight", Peers: logs, Measure: bigRow, Fresh: []string{"leat", "kfake-disk"}},
		{Name: "txn", About: "16 transactional producers, every record of 1 KiB a transaction of its own", Peers: []string{"leat", "kafka", "kafka-fsync"}, Measure: txnRow},
		{Name: "queue", About: "share groups drain 100 B records: four consumers on four partitions, one and four on one partition", Peers: []string{"leat", "kafka", "rabbitmq"}, Rounds: map[string]int{"": 3}, Measure: queueRow},
		{Name: "queuelatency", About: "share groups: from due to confirmed acknowledgement at 500/s; from joining to the first record", Peers: []string{"leat", "kafka"}, Rounds: map[string]int{"": 3, "kafka": 1}, Measure: queueLatencyRow},
		{Name: "rebalance", About: "a group of 100 members, heartbeats of 500 ms: all join, one leaves, one joins, in both protocols", Peers: []string{"leat", "kafka"}, Rounds: map[string]int{"": 3, "kafka": 1}, Slow: []string{"kafka"}, Measure: rebalanceRow},
		{Name: "growth", About: "64 producers of 1 KiB while the log grows, and with idle connections beside", Peers: leat, Rounds: once, Alone: growthRow{big}.alone},
		{Name: "start", About: "start on an empty directory, until the first answer", Peers: []string{"leat", "kfake", "kfake-disk", "nats", "kafka"}, Rounds: map[string]int{"kafka": 2}, Alone: startRow{big}.empty},
		{Name: "restart", About: "start with a large log over 1,000 partitions, after a clean stop and after kill -9 under load", Peers: []string{"leat", "kafka"}, Rounds: map[string]int{"kafka": 2}, Slow: []string{"kafka"}, Alone: startRow{big}.large},
		{Name: "idle", About: "memory with internal topics and one group", Peers: []string{"leat", "kafka"}, Rounds: map[string]int{"kafka": 2}, Slow: []string{"kafka"}, Alone: idleEmpty},
		{Name: "idle10k", About: "memory with 10,000 partitions, and the start with them", Peers: leat, Alone: idleMany},
		{Name: "afterload", About: "memory 60 s after load, of 4 and of 10,000 partitions", Peers: leat, Rounds: once, Alone: idleAfter},
	}, big.Remove
}
