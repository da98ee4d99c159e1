// Package connect runs a worker of Kafka Connect in distributed mode on Leat, with a
// source that reads a file and a sink that writes one: what stands in the one file comes
// to stand in the other, line by line, whoever is killed meanwhile.
package connect
