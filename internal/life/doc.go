// Package life starts and stops long-lived things.
//
// A Group holds parts in the order in which they start; it stops them in the
// reverse order, each in two stages: first the part drains (takes nothing new,
// finishes what it began), and at the deadline everything that is left stops
// hard. Stop may be called twice, from several goroutines, and before Start.
//
// Signals turns the process's signals into the same two stages.
//
// The package imports nothing of ours; everybody may import it.
package life
