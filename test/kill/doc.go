// Package kill kills brokers with -9 again and again, at random moments, in the
// middle of recoveries too, while real clients are at work. What was
// acknowledged must be there afterwards, once, where it was said to be; so must
// commits, topics, deletions and log starts.
//
// A kill shows what the broker's own buffers hold back. What the page cache
// holds back is shown by test/disk, which takes the power away.
package kill
