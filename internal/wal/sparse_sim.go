//go:build sim

package wal

// sparseMost is less in the simulation, whose files are small: else none would ever be
// left before it is full.
const sparseMost = 8 << 10
