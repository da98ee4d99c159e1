// Package rosters compares the lists of names that Leat answers with what Apache
// Kafka's jars say, both ways: topic, broker and group configs (names, types,
// defaults, which of them can change, which broker config stands in), error codes,
// the ranges of ApiVersions and the features. Rosters.java prints Kafka's.
//
// What differs stands in test/divergence, with its reason.
package rosters
