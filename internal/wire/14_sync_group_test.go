package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Gotcha §9.10: the assignment that the leader gives reaches every member, each
// its own, in every version; another generation's sync does not.
func TestSyncGroup(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	versions(t, 14, func(t *testing.T, version int16) {
		group := "g" + t.Name()
		lead, follow := b.dial(), b.dial()
		lead.t, follow.t = t, t
		j := member(lead, group, nil)
		req := joinRequest(group, "")
		req.SetVersion(3)
		follow.send(7, req)
		for beat(lead, group, j) != kerr.RebalanceInProgress.Code {
		}
		j = ask[*kmsg.JoinGroupResponse](lead, joinRequest(group, j.MemberID), 9)
		f := receive[*kmsg.JoinGroupResponse](follow, req)
		mustCode(t, "join", f.ErrorCode, nil)

		s := kmsg.NewPtrSyncGroupRequest()
		s.Group, s.MemberID, s.Generation = group, f.MemberID, f.Generation
		if version >= 5 {
			mustCode(t, "without a protocol", ask[*kmsg.SyncGroupResponse](follow, s, version).ErrorCode, kerr.InconsistentGroupProtocol)
			s.Protocol, s.ProtocolType = kmsg.StringPtr("range"), kmsg.StringPtr("consumer")
		}
		s.Generation--
		mustCode(t, "the generation before", ask[*kmsg.SyncGroupResponse](follow, s, version).ErrorCode, kerr.IllegalGeneration)
		s.Generation++
		if version >= 5 {
			s.Protocol = kmsg.StringPtr("sticky")
			mustCode(t, "another protocol", ask[*kmsg.SyncGroupResponse](follow, s, version).ErrorCode, kerr.InconsistentGroupProtocol)
			s.Protocol = kmsg.StringPtr("range")
		}
		s.SetVersion(version)
		follow.send(7, s)
		l := kmsg.NewPtrSyncGroupRequest()
		l.Group, l.MemberID, l.Generation = group, j.MemberID, j.Generation
		l.Protocol, l.ProtocolType = kmsg.StringPtr("range"), kmsg.StringPtr("consumer")
		for _, m := range j.Members {
			a := kmsg.NewSyncGroupRequestGroupAssignment()
			a.MemberID, a.MemberAssignment = m.MemberID, []byte("for "+m.MemberID)
			l.GroupAssignment = append(l.GroupAssignment, a)
		}
		for who, res := range map[string]*kmsg.SyncGroupResponse{
			j.MemberID: ask[*kmsg.SyncGroupResponse](lead, l, version),
			f.MemberID: receive[*kmsg.SyncGroupResponse](follow, s),
		} {
			if res.ErrorCode != 0 || string(res.MemberAssignment) != "for "+who {
				t.Errorf("%s: %+v", who, res)
			}
			if version >= 5 && (deref(res.Protocol) != "range" || deref(res.ProtocolType) != "consumer") {
				t.Errorf("%s: %+v", who, res)
			}
		}
	})
}
