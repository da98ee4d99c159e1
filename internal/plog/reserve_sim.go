//go:build sim

package plog

// In the simulation, whose segments are small, they are less and more: else no blocks
// would ever be taken ahead there.
const (
	reserveAfter = 4 << 10
	reservePart  = 1
)
