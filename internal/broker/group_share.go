package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/group"
)

// ShareHeartbeat is all that a member of a share group says; the answer comes when
// what it changed is on disk. A member that gets partitions finds them begun: what is
// produced from then on it will see, wherever the group begins.
func (b *Broker) ShareHeartbeat(client group.Client, req *kmsg.ShareGroupHeartbeatRequest, done func(*kmsg.ShareGroupHeartbeatResponse)) {
	refused := func(code int16) {
		res := req.ResponseKind().(*kmsg.ShareGroupHeartbeatResponse)
		res.ErrorCode = code
		done(res)
	}
	if err := b.Shares.Ready(context.Background()); err != nil {
		refused(groupCode(err))
		return
	}
	if req.MemberEpoch == -1 {
		b.Shares.memberLeft(req.GroupID, req.MemberID)
	}
	ask(b.Groups, req.GroupID, func(t group.Token) group.Event {
		return group.ShareHeartbeat{Token: t, Client: client, Req: req}
	}, func(res *kmsg.ShareGroupHeartbeatResponse) {
		if res.Assignment != nil {
			b.Shares.assigned(req.GroupID, res.Assignment)
		}
		done(res)
	}, refused)
}

// DescribeShares shows share groups.
func (g *Groups) DescribeShares(req *kmsg.ShareGroupDescribeRequest, done func(*kmsg.ShareGroupDescribeResponse)) {
	res := req.ResponseKind().(*kmsg.ShareGroupDescribeResponse)
	res.Groups = make([]kmsg.ShareGroupDescribeResponseGroup, len(req.GroupIDs))
	all := gather(len(req.GroupIDs), func() { done(res) })
	for i, id := range req.GroupIDs {
		g.describeShare(id, func(a kmsg.ShareGroupDescribeResponseGroup) {
			res.Groups[i] = a
			all()
		})
	}
}

func (g *Groups) describeShare(id string, done func(kmsg.ShareGroupDescribeResponseGroup)) {
	ask(g, id, func(t group.Token) group.Event { return group.DescribeShare{Token: t, Group: id} }, done, func(code int16) {
		a := kmsg.NewShareGroupDescribeResponseGroup()
		a.GroupID, a.ErrorCode = id, code
		done(a)
	})
}
