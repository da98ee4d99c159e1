// Package divergence is the list of everything in which Leat differs from Apache
// Kafka on purpose, each entry with its reason.
//
// The tests of test/differential and test/rosters read it: a difference that is
// not in the list fails them, and so does an entry that no longer differs.
// test/protocol prints it into docs/protocol.md.
package divergence
