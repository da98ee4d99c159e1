// Package quota is what clients have used of their quotas, and how long they have to
// wait when it was too much: the accounting of KIP-13 (bytes), KIP-124 (time spent on
// requests), KIP-599 (partitions made and deleted) and KIP-612 (connections), with the
// windows and the order of precedence of Apache Kafka.
//
// Rules are the quotas that are set, Meter is what was used. Both are pure: what is used
// and the time come in, waits go out. Rules never change; a Meter is not safe for
// concurrent use.
//
// Bytes and time are rates: what was used within the last windows, by the time that they
// span. A use is entered first and judged after, so that a single one may be as large as
// it likes; whoever is above the rate then waits until the average is down to it. Partitions
// are a bucket of tokens, since one large request would else be waited for until its
// window is gone, however soon the average would allow the next.
package quota
