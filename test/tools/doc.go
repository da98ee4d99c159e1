// Package tools compares what Apache Kafka's own command line tools print on Leat with
// what they print on an Apache Kafka beside it: the same command lines, in the same
// order, from an empty broker on. The command lines stand in scripts/, each difference
// beneath the line that shows it, with its reason; one that is gone fails the test.
package tools
