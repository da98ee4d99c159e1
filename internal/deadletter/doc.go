// Package deadletter is the inbox of records that could not be processed: it reads
// every known dialect of dead-letter headers into one model, lists and groups dead
// letters, and redrives them.
//
// Dead letters stay where they are: Kafka cannot delete one record. What became of
// them is kept in the compacted topic StateTopic, keyed topic/partition/offset; a
// dead letter without an entry is open. A dedicated group, Group, has per
// dead-letter topic and partition committed the offset of its first open letter, so
// that its lag shows at most how much is open and what lies before need not be read
// again. Both are written after a redriven record is acknowledged: a redrive that is
// killed in between is repeated for that record, with the same event identity
// (docs/decisions/dead-letters.md).
package deadletter
