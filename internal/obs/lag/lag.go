// Package lag tells Prometheus about offsets and consumer lag under the names
// of kafka_exporter (github.com/danielqsj/kafka_exporter v1.9.0), so that its
// dashboards, alert rules and autoscalers work with no exporter beside the
// server. It asks as any Kafka client would (kadm), so it tells the same of an
// embedded broker and of a cluster that somebody else runs.
package lag

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// snapshot is what one look at the cluster found.
type snapshot struct {
	meta       kadm.Metadata
	start, end kadm.ListedOffsets
	committed  kadm.FetchOffsetsResponses
	members    map[string]int // of groups that could be described
	shared     kadm.DescribedShareGroupsOffsets
}

// look asks the cluster for everything in six requests or seven, whatever the number of
// topics and groups. A part that one broker would not tell is left out, and the
// error says so; the snapshot then holds the rest.
func look(ctx context.Context, adm *kadm.Client) (snapshot, error) {
	s := snapshot{members: map[string]int{}}
	meta, err := adm.Metadata(ctx)
	if err != nil {
		return s, fmt.Errorf("metadata: %w", err)
	}
	s.meta = meta

	var errs []error
	note := func(what string, err error) {
		// A cluster without topics or groups is no failure.
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	if names := meta.Topics.Names(); len(names) > 0 {
		s.start, err = adm.ListStartOffsets(ctx, names...)
		note("start offsets", err)
		s.end, err = adm.ListEndOffsets(ctx, names...)
		note("end offsets", err)
	}
	listed, err := adm.ListGroups(ctx)
	note("list groups", err)
	var groups, sharing []string
	for _, g := range listed.Sorted() {
		if g.ProtocolType == "share" { // these commit nothing
			sharing = append(sharing, g.Group)
		} else {
			groups = append(groups, g.Group)
		}
	}
	if len(sharing) > 0 {
		note("share groups", s.lookAtShares(ctx, adm, sharing))
	}
	if len(groups) == 0 {
		return s, errors.Join(errs...)
	}
	s.committed = adm.FetchManyOffsets(ctx, groups...)
	described, err := adm.DescribeGroups(ctx, groups...)
	note("describe groups", err)
	var others []string
	for _, g := range described {
		switch {
		case errors.Is(g.Err, kerr.GroupIDNotFound) || g.Err == nil && len(g.Members) == 0 && g.State != "Empty":
			others = append(others, g.Group)
		case g.Err == nil:
			s.members[g.Group] = len(g.Members)
		}
	}
	if len(others) == 0 {
		return s, errors.Join(errs...)
	}
	// They are of the consumer protocol (KIP-848), or have just gone.
	consumers, err := adm.DescribeConsumerGroups(ctx, others...)
	note("describe consumer groups", err)
	for _, g := range consumers {
		if g.Err == nil {
			s.members[g.Group] = len(g.Members)
		}
	}
	return s, errors.Join(errs...)
}

// lookAtShares asks for the members and places of share groups (KIP-932).
func (s *snapshot) lookAtShares(ctx context.Context, adm *kadm.Client, groups []string) error {
	described, err := adm.DescribeShareGroups(ctx, groups...)
	for _, g := range described {
		if g.Err == nil {
			s.members[g.GroupID] = len(g.Members)
		}
	}
	var errs error
	s.shared, errs = adm.DescribeShareGroupOffsets(ctx, groups...)
	return errors.Join(err, errs)
}

// timeout bounds one look: a scrape that hangs is worse than one that fails.
const timeout = 8 * time.Second
