// Package mutant plants mistakes in the engine, for the simulation to find: each
// stands at the line where it would be made, as
//
//	if mutant.On("wal-sync") {
//
// In a program On is the constant false, and the compiler leaves the mistake out.
// Built with the tag sim, Plant turns one on; internal/sim shows for each that its
// checker finds it.
package mutant
