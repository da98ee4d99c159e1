// Package sim runs the log and the broker through lives that end badly, and checks
// what comes back: built with the tag sim, everything from the broker down to an
// in-memory disk runs under one seeded scheduler (internal/sched), so that a seed
// says all: what the clients do, which goroutine goes on, how long the disk takes,
// where it fails and when the power goes.
//
//	go test -tags sim ./internal/sim                                        a few hundred seeds, and all mutants
//	go test -tags sim ./internal/sim -run TestSeeds -sim.for 2m             as many as go into two minutes
//	go test -tags sim ./internal/sim -run TestSeeds -sim.seed 17 -sim.trace one seed again, with all it did
//
// A run is a row of lives of one data directory. In each the broker is opened,
// compared with what clients remember (check.go), given work by several clients at
// once (produce.go, consume.go, admin.go, commit.go), and ended: cleanly, by kill -9, or
// by a loss of power at a file operation that the seed draws, be it within the
// recovery (life.go). docs/decisions/simulation.md tells what it cannot see.
package sim
