// Package sched is the synchronisation that the log and the broker are built
// with: locks, conditions, goroutines, timers, cancellation, the clock and random
// bytes. In a program it is the standard library under other names and costs
// nothing. Built with the tag sim it is a scheduler (World) that runs one
// goroutine at a time, draws from a seed which one is next, and keeps a clock of
// its own: the whole engine then does the same for the same seed, and the
// simulation (internal/sim) can replay a run.
//
// The packages internal/wal, internal/plog and internal/broker use nothing else to
// wait, to start goroutines, to tell the time or to draw lots; internal/lint
// holds them to it. What never waits (sync/atomic, sync.Pool) may stay as it is.
package sched
