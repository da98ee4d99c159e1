// Package support runs the support desk of examples/support on real text, through
// real processes that are killed in the middle, and counts every record afterwards.
package support
