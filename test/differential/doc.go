// Package differential sends the same requests to Leat and to a real Apache
// Kafka and compares the answers field by field. Its tests start Kafka from the
// jars in KAFKA_LIBS (or ~/.cache/kafka-*/libs, or wherever Maven gets them), or
// use the one that listens at LEAT_KAFKA.
//
// What differs for a reason stands in docs/decisions/data-keys.md, and with each
// case here: a difference that is not told, and one that is told but no longer
// there, both fail.
package differential
