package broker

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/group"
	"github.com/leatdev/leat/internal/sched"
)

// Describe shows groups.
func (g *Groups) Describe(req *kmsg.DescribeGroupsRequest, done func(*kmsg.DescribeGroupsResponse)) {
	res := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
	askAll(g, req.Groups, func(t group.Token, id string) group.Event {
		return group.Describe{Token: t, Group: id, Version: req.Version}
	}, func(id string, code int16) kmsg.DescribeGroupsResponseGroup {
		a := kmsg.NewDescribeGroupsResponseGroup()
		a.Group, a.ErrorCode = id, code
		return a
	}, func(as []kmsg.DescribeGroupsResponseGroup) {
		res.Groups = as
		done(res)
	})
}

// List names the groups of the states and types asked for.
func (g *Groups) List(req *kmsg.ListGroupsRequest, done func(*kmsg.ListGroupsResponse)) {
	res := req.ResponseKind().(*kmsg.ListGroupsResponse)
	shards, loading := g.shards.working()
	if loading {
		// Some groups could not be named; who asks again gets all.
		res.ErrorCode = kerr.CoordinatorLoadInProgress.Code
		done(res)
		return
	}
	var mu sched.Mutex
	all := gather(len(shards), func() {
		slices.SortFunc(res.Groups, func(a, b kmsg.ListGroupsResponseGroup) int { return strings.Compare(a.Group, b.Group) })
		done(res)
	})
	for _, sh := range shards {
		sh.step(group.List{States: req.StatesFilter, Types: req.TypesFilter, Token: replyTo(func(answer any) {
			mu.Lock()
			switch a := answer.(type) {
			case []kmsg.ListGroupsResponseGroup:
				res.Groups = append(res.Groups, a...)
			case group.ListFailed:
				res.ErrorCode = int16(a)
			}
			mu.Unlock()
			all()
		})})
	}
}

// Delete removes groups without members, and their offsets. A group that is named
// twice is deleted, and answered, once.
func (g *Groups) Delete(req *kmsg.DeleteGroupsRequest, done func(*kmsg.DeleteGroupsResponse)) {
	res := req.ResponseKind().(*kmsg.DeleteGroupsResponse)
	var ids []string
	named := make(map[string]bool)
	for _, id := range req.Groups {
		if !named[id] {
			named[id] = true
			ids = append(ids, id)
		}
	}
	askAll(g, ids, func(t group.Token, id string) group.Event {
		return group.DeleteGroup{Token: t, Group: id}
	}, func(_ string, code int16) int16 { return code }, func(codes []int16) {
		for i, code := range codes {
			a := kmsg.NewDeleteGroupsResponseGroup()
			a.Group, a.ErrorCode = ids[i], code
			if code != 0 {
				a.ErrorMessage = kmsg.StringPtr(kerr.TypedErrorForCode(code).Description)
			}
			res.Groups = append(res.Groups, a)
		}
		done(res)
	})
}
