package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeGroups: v0-6
//
// Behaviour:
//   - A group that does not exist is Dead.
//   - The members' metadata is shown of stable groups only.
//
// Versions:
//   - v3: authorized operations: all, for there is no authorization
//   - v4: group.instance.id
//   - v6: GROUP_ID_NOT_FOUND and a message for groups that do not exist (KIP-1043)
func (a *api) describeGroups(_ *Request, req *kmsg.DescribeGroupsRequest) Reply {
	p, reply := later()
	a.broker.Groups.Describe(req, func(resp *kmsg.DescribeGroupsResponse) {
		for i := range resp.Groups {
			g := &resp.Groups[i]
			dead := req.Version < 6 && g.ErrorCode == kerr.GroupIDNotFound.Code // no error in these versions
			if req.IncludeAuthorizedOperations && (g.ErrorCode == 0 || dead) {
				g.AuthorizedOperations = groupOperations
			}
		}
		p.Answer(resp)
	})
	return reply
}
