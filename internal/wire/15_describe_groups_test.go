package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A group that does not exist is Dead; from v6 on that is an error, too (KIP-1043).
func TestDescribeGroups(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	j := member(c, "g", nil)
	versions(t, 15, func(t *testing.T, version int16) {
		c.t = t
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Groups = []string{"none", "g"}
		res := ask[*kmsg.DescribeGroupsResponse](c, req, version)
		if len(res.Groups) != 2 || res.Groups[0].Group != "none" || res.Groups[0].State != "Dead" {
			t.Fatalf("%+v", res)
		}
		if version >= 6 {
			mustCode(t, "none", res.Groups[0].ErrorCode, kerr.GroupIDNotFound)
			if res.Groups[0].ErrorMessage == nil {
				t.Error("no message")
			}
		} else {
			mustCode(t, "none", res.Groups[0].ErrorCode, nil)
		}
		g := res.Groups[1]
		mustCode(t, "g", g.ErrorCode, nil)
		if g.State != "Stable" || g.ProtocolType != "consumer" || g.Protocol != "range" || len(g.Members) != 1 {
			t.Fatalf("%+v", g)
		}
		if m := g.Members[0]; m.MemberID != j.MemberID || string(m.MemberAssignment) != "all" || len(m.ProtocolMetadata) != 9 {
			t.Errorf("%+v", m)
		}
		if version >= 3 {
			if g.AuthorizedOperations != -2147483648 {
				t.Errorf("authorized operations %d are told, and nobody asked", g.AuthorizedOperations)
			}
			req.IncludeAuthorizedOperations = true
			if ops := ask[*kmsg.DescribeGroupsResponse](c, req, version).Groups[1].AuthorizedOperations; ops != 3400 {
				t.Errorf("authorized operations %d", ops)
			}
		}
	})
}
