// Package history records what clients do and see while their broker is killed
// and paused, and looks for what a log may never show. The checks are those of
// Jepsen's workload for Kafka (jepsen/tests/kafka.clj describes them), written
// anew for this protocol: lost writes, reads of writes that failed or that nobody
// made, two values at one offset, one value at two offsets, polls and sends that
// go backwards, polls that skip, records that nobody ever sees, answers that are
// older than what was known before. To these come the group's: a committed offset
// that is taken back, and records that a new assignment steps over.
//
// Histories with transactions are held to internal/isolation, too: no cycles
// but those of writes that Kafka's transactions allow, nothing of a fenced
// producer, each record consumed once. The same workload runs against an Apache
// Kafka, where the checks must accept what it does.
//
// A history that has findings is saved, and can be looked at again, one of Kafka
// with -history.torn:
//
//	go test ./history -history.file FILE
//
// More kills: go test ./history -run Transactions -history.kills 500
package history
