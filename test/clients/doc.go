// Package clients tests Leat with clients that others wrote: librdkafka (kcat,
// confluent-kafka for Python and Go), sarama, KafkaJS, kafka-python and Apache
// Kafka's own Java client. Each is a program of a few lines (python/, golang/,
// node/, java/; kcat as it is) that the tests drive by its standard streams
// against a `leat serve` process.
//
// What is compared is always read by franz-go, too: a value that two clients
// read as the same bytes is what the first one sent.
package clients
