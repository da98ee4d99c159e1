// Package streams runs a Kafka Streams application on Leat with exactly_once_v2: a
// repartition topic, a store with its changelog, and totals of which none is lost or
// doubled, whatever is killed.
package streams
