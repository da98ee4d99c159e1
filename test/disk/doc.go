// Package disk takes the disk away from a broker that real clients are at work
// on: its power (with everything that was not flushed), its space, its health.
// The whole stack is real, down to ext4 and its journal: the file system lies on
// a loop device, over a file (full disks) or over a disk that forgets what was
// not flushed (package volatile).
//
// It needs Linux and root. All mounts are made in a mount namespace of the test
// process's own, and all its processes live in a process namespace of its own:
// when it ends, however it ends, the kernel removes both.
package disk
