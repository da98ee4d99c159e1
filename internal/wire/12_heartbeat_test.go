package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A heartbeat of another generation, another member or another group is turned
// away, in every version.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	j := member(c, "g", nil)
	versions(t, 12, func(t *testing.T, version int16) {
		c.t = t
		for what, q := range map[string]struct {
			group, member string
			generation    int32
			want          *kerr.Error
		}{
			"its own":            {"g", j.MemberID, j.Generation, nil},
			"another generation": {"g", j.MemberID, j.Generation + 1, kerr.IllegalGeneration},
			"another member":     {"g", "nobody", j.Generation, kerr.UnknownMemberID},
			"another group":      {"none", j.MemberID, j.Generation, kerr.UnknownMemberID},
			"no group":           {"", j.MemberID, j.Generation, kerr.InvalidGroupID},
		} {
			req := kmsg.NewPtrHeartbeatRequest()
			req.Group, req.MemberID, req.Generation = q.group, q.member, q.generation
			mustCode(t, what, ask[*kmsg.HeartbeatResponse](c, req, version).ErrorCode, q.want)
		}
	})
}
