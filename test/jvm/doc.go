// Package jvm runs programs of the Java world for tests: Apache Kafka's own tools,
// many of them in one JVM, and the small programs of java/ that use its clients. They
// need java, javac and mvn, which gets Kafka's jars (install.sh).
package jvm
