// Package plog keeps the logs of all partitions: appends go through the shared
// write-ahead log (package wal) and are read from memory until a checkpoint has
// moved them into segments in Kafka's own format.
//
// # A record's way
//
//   - Submit checks a batch, gives it offsets and a place in a segment, and hands
//     it to the write-ahead log, which copies it. The copy is the log's tail.
//   - The flush makes it durable; only then the high watermark passes it, and
//     only then Read shows it.
//   - The checkpointer writes tails into segments with few large writes, syncs
//     them, records one checkpoint and lets the write-ahead log use its files
//     again.
//
// # After a crash
//
// Open takes the checkpoint, reads the write-ahead log behind it, drops a torn
// tail, and writes what survives into the segments before anything is served.
// Damage below what was known to be durable is never cut silently: the logs it
// concerns are fenced and reported.
//
// A log costs no goroutine, no open file and no timer.
package plog
