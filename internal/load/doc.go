// Package load measures a broker with load: how much it takes and gives
// (Produce, Consume) and how long it takes to answer (Latency). It knows any
// Kafka-protocol broker through one client, franz-go, so that differences
// between brokers are not differences between clients.
//
// Throughput is what was acknowledged within the measured time. Latency under
// Latency is open loop: records are due at fixed times, and each one's latency
// counts from when it was due, so a stall is seen by every record that it held
// up and not only by the one that happened to be in flight (the error that Gil
// Tene named coordinated omission). Latencies are kept in a Histogram, which
// errs by less than 0.8 %.
package load
