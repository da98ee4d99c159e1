// Package txn is the transaction coordinator as a pure state machine: Kafka's
// InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn and EndTxn (KIP-98, 360, 447,
// 588, 890), time-outs and the expiry of transactional ids. It owns no goroutine,
// clock, socket or file. Events and the time go in through Step, effects come out; the
// same inputs give the same outputs.
//
// One Coordinator holds the transactional ids of one partition of __transaction_state.
//
// The states of a transactional id are Kafka's:
//
//	           first partition            decided
//	Empty ───────────────────► Ongoing ──────────────► CompleteCommit, CompleteAbort
//	  ▲                           ▲    │                 │       │
//	  │       InitProducerId      │    └─► PrepareCommit,│       │
//	  └───────────────────────────┼─────── PrepareAbort ─┘       │
//	                              └──────────────────────────────┘
//	                                  first partition of the next
//
// A decision, the markers that tell it to the logs and the new state are one write: it
// is on disk whole or not at all. PrepareCommit and PrepareAbort are left only for
// partitions that cannot be written at the moment (fenced for damage): they get their
// markers when they can be, or do without when they are deleted.
//
// # The caller's duties
//
//  1. One Step at a time, with a now that never goes back. Now carries the wall clock:
//     it is written into records.
//  2. Append each Write of the Effects to the log, in order, as one unit with its
//     Decision's markers, or with the data of the request whose token it names, all or
//     nothing. Report each with an Appended event before any other event.
//  3. When the flush that covers a Write is done, report it with a Durable event (one
//     that covers several may be reported once, for the last). A failed flush is final:
//     the log takes no more writes until a restart.
//  4. Hand each Reply to whoever holds its Token. Every request event is answered
//     exactly once, sooner or later, but for an Enter that became a Write: its answer
//     is what becomes of the data.
//  5. Step a Tick at Deadline, or later.
//  6. Before the first Step, feed the log's records to Replay, oldest first, then call
//     Loaded.
//
// # Two phases
//
// A Write is applied when it is appended, so that the next decision sees it, and
// answered when it is durable; so are answers that tell a state that others have
// written.
package txn
