// Package features runs the tests of what stands above the log (worker, pipelines,
// dead letters) on real brokers: with every `go test` they run on kfake, here on
// Leat's own broker and on Apache Kafka. What works on one must work unchanged on
// the others.
package features
