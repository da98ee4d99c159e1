package testcluster

import (
	"context"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// topics are the topics of users.
func (c *Cluster) topics(t testing.TB) []string {
	t.Helper()
	ts, err := c.Admin.ListTopics(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ts.FilterInternal()
	var names []string
	for _, name := range ts.Names() {
		if !strings.HasPrefix(name, "__") {
			names = append(names, name)
		}
	}
	return names
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
	if names := c.topics(t); len(names) > 0 {
		if res, err := c.Admin.DeleteTopics(ctx, names...); err != nil || res.Error() != nil {
			t.Error("topics are left behind:", err, res.Error())
		}
		c.settled(t, func() bool { return len(c.topics(t)) == 0 })
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
