// Package share is one share-partition as a pure state machine: what a share group
// (KIP-932) has acquired, accepted, released and rejected of one partition of a
// topic, with acquisition locks, delivery counts, redelivery back-off, dead letters
// (KIP-1191) and the state that outlives a restart. It owns no goroutine, clock,
// socket or file.
//
// A Partition holds runs: ranges of offsets that are in the same state, in one flat
// slice. A hundred thousand records that were acquired and accepted together are
// one entry, not a hundred thousand; nothing here is allocated per record.
//
//	            Acquire                     accept, gap
//	Available ───────────► Acquired ───────────────────────► Acknowledged
//	    ▲                    │   │ reject, or failed too often
//	    └────────────────────┘   ├─────────────► Archived   without dead letters
//	     release, lock ended,    └──► Dying ───► Archived   when the dead letter is
//	     the consumer is gone                               written, in one append
//
// Everything below Start is finished. Between Start and End each offset is in a run.
// From End on nothing was ever acquired.
//
// # What counts
//
// Each record has two counters, as RabbitMQ's quorum queues have since 4.3. Acquired
// counts deliveries; clients see it as the delivery count. Failed counts those that
// went wrong: released by the consumer, lock ended, consumer lost. Only that one is
// held against the delivery count limit: a record that was merely handed back by a
// consumer that closes, or was out when the broker stopped, has not failed.
//
// # The caller's duties
//
//  1. One Step at a time, with a now that never goes back.
//  2. When the Effects have a Write, append it and Step Appended with what became of
//     it before anything else; a refused one is taken back. What is told to clients
//     waits until the append is durable.
//  3. While Dying has anything, write its dead letters, in one append together with
//     the Write of the Buried event; or Step BuryFailed.
//  4. Step a Tick at Deadline, or later.
//  5. Effects are valid until the next Step.
package share
