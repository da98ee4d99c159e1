package main

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Errors of a cluster say what to do, also when they come from one broker of several.
func TestBrokerError(t *testing.T) {
	t.Parallel()
	const want = "COORDINATOR_NOT_AVAILABLE: the coordinator is not ready: try again; a new Apache Kafka has none before its first group or transaction"
	shards := &kadm.ShardErrors{Name: "DescribeTransactions", Errs: []kadm.ShardError{{Err: kerr.CoordinatorNotAvailable}}}
	for _, err := range []error{kerr.CoordinatorNotAvailable, shards} {
		if got := brokerError(err, ""); got == nil || got.Error() != want {
			t.Errorf("%v: %v", err, got)
		}
	}
	if got := brokerError(kerr.InvalidTopicException, "its own words").Error(); got != "INVALID_TOPIC_EXCEPTION: its own words" {
		t.Error(got)
	}
}
