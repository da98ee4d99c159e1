package wire

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Groups are listed over all partitions of the log, filtered by state (KIP-518)
// and type (KIP-848), without regard to case.
func TestListGroups(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	if res := ask[*kmsg.ListGroupsResponse](c, kmsg.NewPtrListGroupsRequest(), 5); res.ErrorCode != 0 || len(res.Groups) != 0 {
		t.Fatalf("before there is any: %+v", res)
	}
	member(c, "stable", nil)
	for _, g := range []string{"a", "b", "c", "d"} {
		ask[*kmsg.OffsetCommitResponse](c, b.commitTo(g, "t", 9, 0, 1, nil), 9)
	}
	list := func(version int16, states, types []string) []string {
		req := kmsg.NewPtrListGroupsRequest()
		req.StatesFilter, req.TypesFilter = states, types
		res := ask[*kmsg.ListGroupsResponse](c, req, version)
		mustCode(t, "list", res.ErrorCode, nil)
		names := []string{}
		for _, g := range res.Groups {
			names = append(names, g.Group)
			want := "Empty"
			if g.Group == "stable" {
				want = "Stable"
			}
			if version >= 4 && g.GroupState != want || version >= 5 && g.GroupType != "classic" {
				t.Errorf("v%d: %+v", version, g)
			}
			if (g.ProtocolType == "consumer") != (g.Group == "stable") {
				t.Errorf("v%d: %+v", version, g)
			}
		}
		return names
	}
	all := []string{"a", "b", "c", "d", "stable"}
	versions(t, 16, func(t *testing.T, version int16) {
		c.t = t
		if got := list(version, nil, nil); !slices.Equal(got, all) {
			t.Errorf("%q", got)
		}
	})
	c.t = t
	for _, q := range []struct {
		states, types, want []string
	}{
		{[]string{"stable"}, nil, []string{"stable"}},
		{[]string{"EMPTY", "Dead"}, nil, []string{"a", "b", "c", "d"}},
		{[]string{"Stable", "Empty"}, []string{"Classic"}, all},
		{nil, []string{"consumer", "share"}, []string{}},
		{[]string{"PreparingRebalance"}, nil, []string{}},
	} {
		if got := list(5, q.states, q.types); !slices.Equal(got, q.want) {
			t.Errorf("states %q, types %q: %q", q.states, q.types, got)
		}
	}
}
