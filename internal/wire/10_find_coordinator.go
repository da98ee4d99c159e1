package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Kinds of coordinators in FindCoordinator.
const (
	coordinatorGroup       = 0
	coordinatorTransaction = 1
	coordinatorShare       = 2
)

// FindCoordinator: v0-6
//
// Behaviour:
//   - A group's coordinator is this node, at the address of the listener that
//     the client came by. The groups' topic is made if it does not exist yet.
//   - So is a transactional id's; its topic, too, is made.
//   - The key of a share-partition is group:topicId:partition; its topic, too, is
//     made. A key of another form is INVALID_REQUEST.
//
// Versions:
//   - v1: kinds of coordinators, an error message
//   - v4: several keys (KIP-699)
//   - v5: the error TRANSACTION_ABORTABLE may come (KIP-890)
//   - v6: kind 2, share groups (KIP-932)
func (a *api) findCoordinator(r *Request, req *kmsg.FindCoordinatorRequest) Reply {
	resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
	if req.Version < 4 {
		c := a.coordinator(r, req, req.CoordinatorKey)
		resp.ErrorCode, resp.ErrorMessage = c.ErrorCode, c.ErrorMessage
		resp.NodeID, resp.Host, resp.Port = c.NodeID, c.Host, c.Port
		return answer(resp)
	}
	for _, key := range req.CoordinatorKeys {
		resp.Coordinators = append(resp.Coordinators, a.coordinator(r, req, key))
	}
	return answer(resp)
}

// coordinator finds the coordinator of one key.
func (a *api) coordinator(r *Request, req *kmsg.FindCoordinatorRequest, key string) kmsg.FindCoordinatorResponseCoordinator {
	c := kmsg.NewFindCoordinatorResponseCoordinator()
	c.Key = key
	fail := func(code int16, message string) kmsg.FindCoordinatorResponseCoordinator {
		c.NodeID, c.Port = -1, -1
		c.ErrorCode, c.ErrorMessage = code, kmsg.StringPtr(message)
		return c
	}
	switch {
	case req.CoordinatorType == coordinatorGroup:
		if err := a.broker.Groups.Available(key); err != nil {
			return fail(a.code(r, err), "The group's log cannot be used at the moment; the broker's log says why.")
		}
	case req.CoordinatorType == coordinatorTransaction:
		if err := a.broker.Txns.Available(key); err != nil {
			return fail(a.code(r, err), "The log of the transactional id cannot be used at the moment; the broker's log says why.")
		}
	case req.CoordinatorType == coordinatorShare && req.Version >= 6:
		if err := a.broker.Shares.Available(r.Ctx, key); err != nil {
			return fail(a.code(r, err), *explain(err))
		}
	default:
		return fail(kerr.InvalidRequest.Code, "There is no such kind of coordinator in this version.")
	}
	// What Kafka says where there is nothing to say.
	c.ErrorMessage = kmsg.StringPtr("")
	if req.Version < 4 {
		c.ErrorMessage = kmsg.StringPtr("NONE")
	}
	c.NodeID = a.node.id
	c.Host, c.Port = r.Peer.Listener.Advertised()
	return c
}
