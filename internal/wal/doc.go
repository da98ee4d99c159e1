// Package wal is the write-ahead log that all partitions share: one write and
// one fdatasync make a whole group of appends durable, whichever partitions
// they belong to.
//
// # Who calls what
//
// Enqueue copies frames into the open group and returns at once. One flusher
// goroutine takes the groups that have gathered, writes them, syncs once and
// then tells everybody who waits. While a sync runs the next group gathers; when
// nothing runs a group is flushed at once: there is no timer. Who has nothing else to
// do may flush in the flusher's stead (Gather and Flush); there is one flush at a time.
//
// # On disk
//
// A fixed number of files of equal size, filled once and used again and again
// (overwriting blocks that exist costs half of what appending does). A group
// starts on a 4 KiB boundary, so that writing it never touches a block that
// holds an older, durable group. Groups carry a sequence number that only ever
// grows, over restarts too: what an earlier life of the file left behind is
// recognised by its old number. See docs/FORMATS.md for the bytes.
package wal

// Pos is a place in the log: the sequence number of a group. 0 is before
// everything.
type Pos uint64
