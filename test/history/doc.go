// Package history records what clients do and see while their broker is killed
// and paused, and looks for what a log may never show. The checks are those of
// Jepsen's workload for Kafka (jepsen/tests/kafka.clj describes them), written
// anew for this protocol without transactions: lost writes, reads of writes that
// failed or that nobody made, two values at one offset, one value at two
// offsets, polls and sends that go backwards, polls that skip, records that
// nobody ever sees, answers that are older than what was known before. To these
// come the group's: a committed offset that is taken back, and records that a
// new assignment steps over. The search for cycles between transactions comes
// with transactions.
//
// A history that has findings is saved, and can be looked at again:
//
//	go test ./history -history.file FILE
package history
