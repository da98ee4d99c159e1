// Package programs runs the programs that Apache Kafka tests brokers with, as its jars
// have them, on Leat: VerifiableProducer and VerifiableConsumer across a kill -9, the
// performance programs of producers, consumers and both together, and the check of what
// a broker supports. What they sent is counted in the log, what they read by themselves.
package programs
