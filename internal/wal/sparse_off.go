//go:build !sim

package wal

// sparseMost is how much is written into a file whose blocks are fresh before another
// may take its place: some hundred flushes of who waits for each.
const sparseMost = 1 << 20
