package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/group"
)

// ConsumerHeartbeat is all that a member of a consumer group says; the answer comes
// when what it changed is on disk.
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
	askAll(g, req.Groups, func(t group.Token, id string) group.Event {
		return group.DescribeConsumer{Token: t, Group: id}
	}, func(id string, code int16) kmsg.ConsumerGroupDescribeResponseGroup {
		a := kmsg.NewConsumerGroupDescribeResponseGroup()
		a.Group, a.ErrorCode = id, code
		return a
	}, func(as []kmsg.ConsumerGroupDescribeResponseGroup) {
		res.Groups = as
		done(res)
	})
}
