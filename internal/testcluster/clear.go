package testcluster

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topics are the names of the topics there are, but for the brokers' own.
func (c *Cluster) Topics(t testing.TB) []string {
	t.Helper()
	names := slices.Sorted(maps.Keys(c.Partitions(t)))
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, "__") })
}

// Partitions are the partition counts of topics, of all if none is named. It asks
// the cluster; kadm may answer from memory.
func (c *Cluster) Partitions(t testing.TB, topics ...string) map[string]int {
	t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	for _, topic := range topics {
		rt := kmsg.NewMetadataRequestTopic()
		rt.Topic = &topic
		req.Topics = append(req.Topics, rt)
	}
	res, err := req.RequestWith(context.Background(), c.client) // a test's own context is over when it ends
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, d := range res.Topics {
		if d.Topic != nil && d.ErrorCode == 0 {
			counts[*d.Topic] = len(d.Partitions)
		}
	}
	return counts
}

// clear leaves the cluster empty for the next test, with members turned out of
// groups that nobody left in good order.
func (c *Cluster) clear(t testing.TB) {
	t.Helper()
	ctx := context.Background() // the test's own is over
	groups, err := c.Admin.DescribeGroups(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		var ids []string
		for _, m := range g.Members {
			ids = append(ids, m.MemberID)
		}
		if len(ids) > 0 {
			if err := c.turnOut(ctx, g.Group, ids); err != nil {
				t.Fatal(err)
			}
		}
	}
	if names := groups.Names(); len(names) > 0 {
		if res, err := c.Admin.DeleteGroups(ctx, names...); err != nil || res.Error() != nil {
			t.Error("groups are left behind:", err, res.Error())
		}
	}
	if names := c.Topics(t); len(names) > 0 {
		if res, err := c.Admin.DeleteTopics(ctx, names...); err != nil || res.Error() != nil {
			t.Error("topics are left behind:", err, res.Error())
		}
		c.settled(t, func() bool { return len(c.Topics(t)) == 0 })
	}
}

func (c *Cluster) turnOut(ctx context.Context, group string, members []string) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = group
	for _, id := range members {
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = id
		req.Members = append(req.Members, m)
	}
	res, err := req.RequestWith(ctx, c.client)
	if err == nil {
		err = kerr.ErrorForCode(res.ErrorCode)
	}
	return err
}
