package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Kinds of endpoints in DescribeCluster.
const (
	endpointBrokers     = 1
	endpointControllers = 2
)

// DescribeCluster: v0-2
//
// Behaviour:
//   - One broker, at the address of the listener that the client came by; it is
//     the controller and never fenced.
//
// Versions:
//   - v1: the kind of endpoint (KIP-919); controllers have none of their own here:
//     MISMATCHED_ENDPOINT_TYPE
//   - v2: fenced brokers (KIP-1073)
func (a *api) describeCluster(r *Request, req *kmsg.DescribeClusterRequest) Reply {
	resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
	if req.Version >= 1 && req.EndpointType != endpointBrokers {
		resp.ErrorCode = kerr.UnsupportedEndpointType.Code
		resp.ErrorMessage = kmsg.StringPtr("Unsupported endpoint type; 1 is brokers")
		if req.EndpointType == endpointControllers {
			resp.ErrorCode = kerr.MismatchedEndpointType.Code
			resp.ErrorMessage = kmsg.StringPtr("The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER")
		}
		return answer(resp)
	}
	resp.ClusterID, resp.ControllerID = a.node.clusterID, a.node.id
	b := kmsg.NewDescribeClusterResponseBroker()
	b.NodeID, b.Rack = a.node.id, a.rack()
	b.Host, b.Port = r.Peer.Listener.Advertised()
	resp.Brokers = append(resp.Brokers, b)
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = clusterOperations
	}
	return answer(resp)
}
