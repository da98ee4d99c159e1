// Package traffic are real clients at work while a test does something bad to
// their broker: producers, a member of a group. They remember what they were
// told, and hold it against the log afterwards: what was acknowledged is there,
// once, where it was said to be; what was read stays.
package traffic
