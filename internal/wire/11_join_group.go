package wire

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/group"
)

// JoinGroup: v0-9
//
// Behaviour:
//   - Answered when all members have joined, or the rebalance time-out is over.
//     The first join of an empty group waits for more members
//     (group.initial.rebalance.delay.ms).
//   - If the client goes away, the member stays until its session ends: it may
//     come back by another connection.
//
// Versions:
//   - v0: the session time-out stands for the rebalance time-out too
//   - v4: new members get MEMBER_ID_REQUIRED and an id first (KIP-394)
//   - v5: group.instance.id (KIP-345)
//   - v7: the protocol type is in the answer
//   - v8: the client's reason, for the log (KIP-800)
//   - v9: a static leader that comes back is told to skip the assignment (KIP-814)
func (a *api) joinGroup(r *Request, req *kmsg.JoinGroupRequest) Reply {
	p, reply := later()
	give := untilGone(r, p, func() kmsg.Response {
		resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
		resp.ErrorCode, resp.Generation, resp.MemberID = kerr.CoordinatorNotAvailable.Code, -1, req.MemberID
		return resp
	})
	client := group.Client{ID: r.ClientID, Host: r.Peer.KafkaHost()}
	a.broker.Groups.Join(client, req, func(resp *kmsg.JoinGroupResponse) { give(resp) })
	return reply
}

// untilGone returns what answers p, unless nobody waits any more before: then
// gone's answer is given at once, and what comes later is dropped.
func untilGone(r *Request, p *Pending, gone func() kmsg.Response) func(kmsg.Response) {
	var once sync.Once
	stop := context.AfterFunc(r.Ctx, func() {
		once.Do(func() { p.Answer(gone()) })
	})
	return func(resp kmsg.Response) {
		once.Do(func() {
			stop()
			p.Answer(resp)
		})
	}
}
