package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// heartbeat keeps a member alive and tells it of a rebalance.
func (c *Coordinator) heartbeat(e Heartbeat) {
	req := e.Req
	res := kmsg.NewPtrHeartbeatResponse()
	res.Version = req.Version
	if err := c.beat(req); err != nil {
		res.ErrorCode = err.Code
	}
	c.reply(e.Token, res)
}

func (c *Coordinator) beat(req *kmsg.HeartbeatRequest) *kerr.Error {
	if req.Group == "" {
		return kerr.InvalidGroupID
	}
	if g := c.consumer(req.Group); g != nil {
		return c.beatConsumer(g, req)
	}
	g := c.classic(req.Group)
	if g == nil {
		return kerr.UnknownMemberID
	}
	if err := g.check(req.MemberID, req.InstanceID); err != nil {
		return err
	}
	if req.Generation != g.generation {
		return kerr.IllegalGeneration
	}
	c.seen(g, g.byID[req.MemberID])
	if g.state == PreparingRebalance {
		return kerr.RebalanceInProgress
	}
	return nil
}

// seen moves the deadline of a member that was heard of.
func (c *Coordinator) seen(g *group, m *member) {
	if m.deadline.IsZero() {
		// It waits here and has no deadline that the alarm knows of.
		c.touch(g)
	}
	m.alive(c.now, m.session)
}
