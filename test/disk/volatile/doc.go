// Package volatile is a disk with a write cache that a power cut empties: a file
// of a FUSE file system of its own, made to be put under a loop device and a
// real file system. What was written and not flushed is gone after a cut, or some
// blocks of it are, chosen at random: a disk writes its cache in any order.
//
// The kernel has the whole stack above it: page cache, journal and barriers. So
// a program that leaves out an fsync, or that syncs a file and forgets its
// directory, loses data here as it would on a machine that loses power.
package volatile
