package group

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// leave takes members out at once, instead of when their sessions end. Before
// v3 a request names one member; from then on several, and an administrator may
// name static ones by instance id alone. The last one's answer waits until the
// group is empty on disk, too: whoever joins after a crash need not wait for a
// member that was told it has left.
func (c *Coordinator) leave(e Leave) {
	req := e.Req
	res := kmsg.NewPtrLeaveGroupResponse()
	res.Version = req.Version
	g := c.classic(req.Group)
	members := req.Members
	if req.Version < 3 {
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = req.MemberID
		members = []kmsg.LeaveGroupRequestMember{m}
	}
	if req.Group == "" {
		res.ErrorCode = kerr.InvalidGroupID.Code
		c.reply(e.Token, res)
		return
	}
	if g := c.consumer(req.Group); g != nil {
		c.leaveConsumer(g, e, res, members)
		return
	}
	var left []string
	for _, lm := range members {
		rm := kmsg.NewLeaveGroupResponseMember()
		rm.MemberID, rm.InstanceID = lm.MemberID, lm.InstanceID
		if id, err := c.leaveOne(g, lm); err != nil {
			rm.ErrorCode = err.Code
		} else {
			left = append(left, withReason(id, lm.Reason))
		}
		res.Members = append(res.Members, rm)
	}
	if req.Version < 3 {
		res.ErrorCode = res.Members[0].ErrorCode
		res.Members = nil
	}
	if len(left) == 0 {
		c.reply(e.Token, res)
		return
	}
	before := c.writes.Last()
	c.afterRemoval(g, "left: "+strings.Join(left, ", "))
	c.writes.WhenSince(before, func(err error) {
		if err != nil {
			res.ErrorCode = codeOf(err)
		}
		c.reply(e.Token, res)
	})
}

// leaveOne takes one member out and says which id it had.
func (c *Coordinator) leaveOne(g *group, lm kmsg.LeaveGroupRequestMember) (string, *kerr.Error) {
	if g == nil {
		return "", kerr.UnknownMemberID
	}
	if _, ok := g.pending[lm.MemberID]; ok {
		delete(g.pending, lm.MemberID)
		c.touch(g)
		return lm.MemberID, nil
	}
	id := lm.MemberID
	if id == "" && lm.InstanceID != nil && g.statics[*lm.InstanceID] != nil {
		id = g.statics[*lm.InstanceID].id
	}
	if err := g.check(id, lm.InstanceID); err != nil {
		return "", err
	}
	c.dropOne(g, g.byID[id])
	return id, nil
}
