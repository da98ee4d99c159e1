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
	res.Groups = make([]kmsg.DescribeGroupsResponseGroup, len(req.Groups))
	all := gather(len(req.Groups), func() { done(res) })
	for i, id := range req.Groups {
		ask(g, id, func(t group.Token) group.Event { return group.Describe{Token: t, Group: id, Version: req.Version} },
			func(a kmsg.DescribeGroupsResponseGroup) {
				res.Groups[i] = a
				all()
			}, func(code int16) {
				res.Groups[i].Default()
				res.Groups[i].Group, res.Groups[i].ErrorCode = id, code
				all()
			})
	}
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
	res.Groups = make([]kmsg.DeleteGroupsResponseGroup, len(ids))
	all := gather(len(ids), func() { done(res) })
	for i, id := range ids {
		set := func(code int16) {
			res.Groups[i].Default()
			res.Groups[i].Group, res.Groups[i].ErrorCode = id, code
			if code != 0 {
				res.Groups[i].ErrorMessage = kmsg.StringPtr(kerr.TypedErrorForCode(code).Description)
			}
			all()
		}
		ask(g, id, func(t group.Token) group.Event { return group.DeleteGroup{Token: t, Group: id} }, set, set)
	}
}
