package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// coordinatorTries is how often a coordinator that is not ready is asked: about
// half a minute long.
const coordinatorTries = 30

// Committed returns what a group has committed: nothing, and no error, of a group
// that is not there, which brokers tell in two ways. It waits up to half a minute
// for a coordinator that is not ready: a new Apache Kafka makes its offsets topic
// when the first group is asked for, and says COORDINATOR_NOT_AVAILABLE meanwhile.
// The error is of the cluster or of ctx; any goroutine may call it.
func Committed(ctx context.Context, adm *kadm.Client, group string) (kadm.OffsetResponses, error) {
	wait := Retry{Min: 50 * time.Millisecond, Max: time.Second}
	for try := 0; ; try++ {
		offsets, err := adm.FetchOffsets(ctx, group)
		if err == nil {
			err = offsets.Error()
		}
		switch {
		case err == nil:
			return offsets, nil
		case errors.Is(err, kerr.GroupIDNotFound):
			return nil, nil
		case !kerr.IsRetriable(err) || try == coordinatorTries:
			return nil, fmt.Errorf("reading the offsets of group %s: %w", group, err)
		}
		sleep(ctx, wait.backoff(try))
	}
}
