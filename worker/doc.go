// Package worker is what every service around a log writes again and again,
// written once: consume, handle, produce, commit.
//
// A [Worker] reads topics as one member of a consumer group, hands records in
// micro-batches to a [Handler], writes what the handler answers, and commits
// what is done. It is an ordinary Kafka client: it works against any broker
// that speaks the protocol.
//
// # What it promises
//
//   - At least once. A record's results are acknowledged by the broker
//     (acks=all) before its offset is committed.
//   - N in, N out. A handler answers with one [Outcome] per message.
//   - Order, if asked for. With [OrderKey] the records of one key are handled
//     and their results written in the order they were read, while other keys
//     go on in parallel, however few partitions there are.
//   - Bounded repeats. After a kill at most [Config.MaxInFlight] records per
//     partition are handled again, and none that was not read yet at the time;
//     their results carry the same event ids as before (package event).
//   - Failures have an owner. What one record meets while others pass is that
//     record's: it is tried again and then dead-lettered, whole. What every
//     record meets is the backend's: the worker pauses, probes, and goes on
//     (docs/decisions/worker-failures.md).
//   - Nothing is skipped. Where a record can neither be handled nor
//     dead-lettered, or retention took records that were never read, [Worker.Run]
//     ends with an error that says so.
//
// # How it is built
//
// Three state machines without goroutines, sockets or clocks decide everything:
// tracker (what may be committed), queue (which messages form the next batch) and
// breaker (whose fault is a failure). The shell around them is one polling
// goroutine, one dispatcher, one committer, one for settlements of held messages,
// and one goroutine per call in flight. docs/decisions/worker-delivery.md has the
// bounds.
package worker
