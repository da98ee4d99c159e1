package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// Heartbeat: v0-4
//
// Behaviour:
//   - REBALANCE_IN_PROGRESS asks the member to join again; it stays alive.
//
// Versions:
//   - v3: group.instance.id (KIP-345)
func (a *api) heartbeat(_ *Request, req *kmsg.HeartbeatRequest) Reply {
	p, reply := later()
	a.broker.Groups.Heartbeat(req, func(resp *kmsg.HeartbeatResponse) { p.Answer(resp) })
	return reply
}
