//go:build !sim

package plog

const (
	// reserveAfter is from which size on a segment that large batches go to has blocks
	// taken ahead: a log that has shown that it grows.
	reserveAfter = 1 << 20
	// reservePart of what it has are taken: an eighth.
	reservePart = 8
)
