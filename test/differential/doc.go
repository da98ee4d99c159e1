// Package differential sends the same requests to Leat and to a real Apache
// Kafka and compares the answers field by field. Its tests start Kafka from the
// jars in KAFKA_LIBS (or ~/.cache/kafka-*/libs, or wherever Maven gets them), or
// use the one that listens at LEAT_KAFKA.
//
// Where there is no Java, the random sequences are played beside kfake, franz-go's
// broker for tests, which needs nothing. It is further from Kafka than Leat is; the
// list of what differs is its own (divergence.Kfake), and where the two come to know
// different things a sequence ends. LEAT_PEER says which it is to be: kafka or kfake.
//
// There are cases, which do what somebody has thought of (compare), and random
// sequences, which do what nobody has (random_test.go): each is drawn from a seed,
// played on both sides step by step, and shrunk when they differ. More of them:
//
//	go test ./differential -run Random -random.sequences 1000 -random.seed 5000
//
// TestLiesAreFound, TestLiesOfGroupsAreFound and TestLiesAreFoundBesideKfake show,
// without Kafka, that a broker which is wrong in one small thing is found.
//
// What differs for a reason stands in test/divergence: a difference that is not
// told there, and one that is told but no longer there, both fail.
package differential
