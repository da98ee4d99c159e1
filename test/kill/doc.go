// Package kill kills a broker with -9 again and again while clients are at work,
// and counts afterwards: what was acknowledged is there, once, where it was said
// to be; commits and topics, too.
package kill
