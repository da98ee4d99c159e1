package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What is deleted is gone with its offsets; groups with members stay. Each is
// answered for itself.
func TestDeleteGroups(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	member(c, "busy", nil)
	versions(t, 42, func(t *testing.T, version int16) {
		c.t = t
		ask[*kmsg.OffsetCommitResponse](c, b.commitTo("g", "t", 9, 0, 1, nil), 9)
		if got, _ := b.fetch(c, "g", 9, true); len(got) != 1 {
			t.Fatalf("%+v", got)
		}
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.Groups = []string{"busy", "g", "none", "g"} // a name twice is answered once
		res := ask[*kmsg.DeleteGroupsResponse](c, req, version)
		if len(res.Groups) != 3 {
			t.Fatalf("%+v", res)
		}
		for i, want := range []*kerr.Error{kerr.NonEmptyGroup, nil, kerr.GroupIDNotFound} {
			mustCode(t, req.Groups[i], res.Groups[i].ErrorCode, want)
			if res.Groups[i].Group != req.Groups[i] || version >= 3 && (res.Groups[i].ErrorMessage != nil) != (want != nil) {
				t.Errorf("%+v", res.Groups[i])
			}
		}
		if got, code := b.fetch(c, "g", 9, true); len(got) != 0 || code != 0 {
			t.Errorf("%+v", got)
		}
	})
}
