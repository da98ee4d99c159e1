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
//   - Transactions and share groups have no coordinator here yet:
//     INVALID_REQUEST, which clients do not retry, with a message that says so.
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
		return fail(kerr.InvalidRequest.Code, "This broker does not serve transactions.")
	case req.CoordinatorType == coordinatorShare && req.Version >= 6:
		return fail(kerr.InvalidRequest.Code, "This broker does not serve share groups.")
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
