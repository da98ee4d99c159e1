// Package isolation looks for what transactions over a log may never show, in
// histories of what clients were told and have read: Adya's phenomena, found as
// Elle finds them, by cycles in a graph of what must have come before what
// (Adya, Weak Consistency, 1999; Kingsbury and Alvaro, Elle, VLDB 2020; the
// phenomena of Kafka are described in jepsen/tests/kafka.clj).
//
// Kafka's transactions do not isolate writes: an offset is given when a record is
// sent, long before its transaction is decided. So two transactions may each
// write before the other one, in two partitions (G0), and may do so and read each
// other (G1c with write dependencies): both are legal, and only counted. What is
// not legal lies between single operations. Each of these takes effect at one
// moment between its start and its end: an append, a poll, a question for the
// last stable offset, the end of a transaction, the fencing of a transactional
// id. Between those moments there is one order, and a cycle shows that there is
// none:
//
//	ww  an append, the append at the key's next known offset
//	wr  the end of a committed transaction, a poll that has one of its records
//	rw  a last stable offset that is a transaction's record, that transaction's end
//	in  what a transaction does, its end
//	up  the end of a transaction, the next fencing of its transactional id
//	rt  what ended before the other began (one clock is common to all)
//
// rw holds where a commit is in all partitions at once, and is so when it is
// answered: in Leat. Kafka writes markers one by one, later (History.AtOnce).
// A poll may end anywhere below the last stable offset, so that what it has not
// seen says nothing: there is no rw from polls, and no G1b and G2.
//
// Everything here is pure: a history goes in, a Report comes out.
package isolation
