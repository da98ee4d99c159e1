package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/group"
)

// ConsumerHeartbeat is all that a member of a consumer group says; the answer comes
// when what it changed is
// on disk.
func (g *Groups) ConsumerHeartbeat(client group.Client, req *kmsg.ConsumerGroupHeartbeatRequest, done func(*kmsg.ConsumerGroupHeartbeatResponse)) {
	ask(g, req.Group, func(t group.Token) group.Event {
		return group.ConsumerHeartbeat{Token: t, Client: client, Req: req}
	}, done, func(code int16) {
		res := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
		res.ErrorCode = code
		done(res)
	})
}

// DescribeConsumers shows consumer groups.
func (g *Groups) DescribeConsumers(req *kmsg.ConsumerGroupDescribeRequest, done func(*kmsg.ConsumerGroupDescribeResponse)) {
	res := req.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
	res.Groups = make([]kmsg.ConsumerGroupDescribeResponseGroup, len(req.Groups))
	all := gather(len(req.Groups), func() { done(res) })
	for i, id := range req.Groups {
		ask(g, id, func(t group.Token) group.Event { return group.DescribeConsumer{Token: t, Group: id} },
			func(a kmsg.ConsumerGroupDescribeResponseGroup) {
				res.Groups[i] = a
				all()
			}, func(code int16) {
				res.Groups[i].Default()
				res.Groups[i].Group, res.Groups[i].ErrorCode = id, code
				all()
			})
	}
}
