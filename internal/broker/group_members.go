package broker

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/group"
)

// ask steps an event in the group's machine and hands the answer on. event is called
// with the machine's lock held. Without a machine, refused gets the error code.
func ask[A any](g *Groups, groupID string, event func(group.Token) group.Event, done func(A), refused func(code int16)) {
	sh, err := g.shard(groupID)
	if err != nil {
		refused(groupCode(err))
		return
	}
	sh.stepWith(func() group.Event { return event(replyTo(func(answer any) { done(answer.(A)) })) })
}

// askAll is ask about several groups at once: their answers are handed on together, in
// the order of the ids. refused makes the answer of a group without a machine.
func askAll[A any](g *Groups, ids []string, event func(t group.Token, id string) group.Event, refused func(id string, code int16) A, done func([]A)) {
	answers := make([]A, len(ids))
	all := gather(len(ids), func() { done(answers) })
	for i, id := range ids {
		take := func(a A) {
			answers[i] = a
			all()
		}
		ask(g, id, func(t group.Token) group.Event { return event(t, id) }, take, func(code int16) { take(refused(id, code)) })
	}
}

// groupCode is the code of an error of Groups, which are all kerrs.
func groupCode(err error) int16 {
	var ke *kerr.Error
	if errors.As(err, &ke) {
		return ke.Code
	}
	return kerr.UnknownServerError.Code
}

// Join joins a group, or creates it. The answer comes when the rebalance is
// through, which may take minutes.
func (g *Groups) Join(client group.Client, req *kmsg.JoinGroupRequest, done func(*kmsg.JoinGroupResponse)) {
	ask(g, req.Group, func(t group.Token) group.Event { return group.Join{Token: t, Client: client, Req: req} }, done, func(code int16) {
		res := req.ResponseKind().(*kmsg.JoinGroupResponse)
		res.ErrorCode, res.Generation, res.MemberID = code, -1, req.MemberID
		done(res)
	})
}

// Sync brings a member its assignment, when the leader has given it and it is
// durable.
func (g *Groups) Sync(req *kmsg.SyncGroupRequest, done func(*kmsg.SyncGroupResponse)) {
	ask(g, req.Group, func(t group.Token) group.Event { return group.Sync{Token: t, Req: req} }, done, func(code int16) {
		res := req.ResponseKind().(*kmsg.SyncGroupResponse)
		res.ErrorCode = code
		done(res)
	})
}

// Heartbeat keeps a member in its group.
func (g *Groups) Heartbeat(req *kmsg.HeartbeatRequest, done func(*kmsg.HeartbeatResponse)) {
	ask(g, req.Group, func(t group.Token) group.Event { return group.Heartbeat{Token: t, Req: req} }, done, func(code int16) {
		res := req.ResponseKind().(*kmsg.HeartbeatResponse)
		res.ErrorCode = code
		done(res)
	})
}

// Leave takes members out of their group.
func (g *Groups) Leave(req *kmsg.LeaveGroupRequest, done func(*kmsg.LeaveGroupResponse)) {
	ask(g, req.Group, func(t group.Token) group.Event { return group.Leave{Token: t, Req: req} }, done, func(code int16) {
		res := req.ResponseKind().(*kmsg.LeaveGroupResponse)
		res.ErrorCode = code
		done(res)
	})
}
