// Package group is the coordinator of groups as a pure state machine: classic
// groups (JoinGroup, SyncGroup, Heartbeat, LeaveGroup), consumer groups (KIP-848,
// consumer_*.go), share groups (KIP-932, share_*.go), their offsets and their
// administration. It owns no goroutine, clock, socket or file. Events and the time
// go in through Step, effects come out; the same inputs, and the same answers of
// Config's functions, give the same outputs.
//
// One Coordinator holds the groups of one partition of __consumer_offsets. A group
// is of one type at a time: classic as it is made, and what its group.modern says
// otherwise. Offsets are the group's, whatever its type.
//
// The states of a classic group are Kafka's:
//
//	            first member joins
//	Empty ───────────────────────────► PreparingRebalance ◄──┐
//	  ▲                                   │ all joined, or    │ a member joins
//	  │ the last member is gone           │ the time is up    │ anew, leaves,
//	  └───────────────────────────────────┤                   │ or expires
//	                                      ▼                   │
//	                             CompletingRebalance ─────────┤
//	                                      │ the leader's      │
//	                                      │ assignment is     │
//	                                      ▼ durable           │
//	                                    Stable ───────────────┘
//
// A consumer group is Assigning while the target assignment is of an older epoch
// than the group, Reconciling while members are still led there, else Stable; each
// member is on its way by itself:
//
//	             the target has a new epoch
//	stable ──────────────────────────────────► has it to give anything up?
//	  ▲  ▲                                        │ yes               │ no
//	  │  │            it says that it did         ▼                   ▼
//	  │  │                 ┌────────────────── unrevoked      is all free that it
//	  │  │                 ▼                                  shall have?
//	  │  └──── all is free, the new epoch ◄───────────────────────────┤ yes
//	  │                                                               ▼ no
//	  └─────────── others have given it up ◄──────────────────── unreleased
//
// A deleted group is gone from the Coordinator; Dead is only what a describe
// says about it.
//
// # The caller's duties
//
//  1. One Step at a time, with a now that never goes back. Now carries the wall
//     clock (it is written into records) and, in production, the monotonic one
//     (deadlines are differences).
//  2. Append each Write of the Effects to the log, in order, all of its records
//     or none, and report each with an Appended event before any other event.
//  3. When the flush that covers a Write is done, report it with a Durable
//     event (one that covers several Writes may be reported once, for the last).
//     A failed flush is final: the log takes no more writes until a restart.
//  4. Hand each Reply to whoever holds its Token. Every request event is
//     answered exactly once, sooner or later.
//  5. Step a Tick at Deadline, or later.
//  6. Before the first Step, feed the log's records to Replay, oldest first,
//     then call Loaded with the topics that there are.
//  7. Step a TopicsChanged when topics are made, deleted or get more partitions.
//
// # Two phases
//
// Offsets and deletions are applied when their Write is appended, so that the
// next decision sees them, and shown when it is durable: answers that tell a
// state (a commit's, an OffsetFetch, a describe, a list) are held back until the
// flush that covers that state. A generation becomes Stable, and its members
// learn their assignments, when the assignment is durable.
package group
