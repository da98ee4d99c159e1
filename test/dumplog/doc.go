// Package dumplog has Apache Kafka's own DumpLogSegments read what Leat has
// written. It needs Java and Kafka's jars: those in the directory that
// LEAT_KAFKA_LIBS names, or those that run.sh fetches with Maven. Without them
// the test is skipped by name, and fails where LEAT_REQUIRE=1 is set.
package dumplog
