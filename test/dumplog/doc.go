// Package dumplog has Apache Kafka's own DumpLogSegments read what Leat has written,
// after a clean stop and, materialized, after a kill; and has Leat's reader read what a
// real Kafka has written. It needs Java and Kafka's jars: those in the directory that
// LEAT_KAFKA_LIBS names, or those that run.sh fetches with Maven. Without them the tests
// are skipped by name, and fail where LEAT_REQUIRE=1 is set.
package dumplog
