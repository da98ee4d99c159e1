package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestDescribeCluster(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	c := b.dial()
	versions(t, 60, func(t *testing.T, version int16) {
		req := kmsg.NewPtrDescribeClusterRequest()
		req.IncludeClusterAuthorizedOperations = true
		resp := ask[*kmsg.DescribeClusterResponse](c, req, version)
		if resp.ErrorCode != 0 || resp.ClusterID != b.broker.ClusterID || resp.ControllerID != 1 || len(resp.Brokers) != 1 || resp.ClusterAuthorizedOperations != 8096 {
			t.Fatalf("%+v", resp)
		}
		if br := resp.Brokers[0]; br.NodeID != 1 || br.Host != "leat.memory" || br.Port != 9092 || br.Rack != nil || br.IsFenced {
			t.Errorf("%+v", br)
		}
		for endpoint, want := range map[int8]*kerr.Error{2: kerr.MismatchedEndpointType, 5: kerr.UnsupportedEndpointType} {
			req.EndpointType = endpoint
			resp := ask[*kmsg.DescribeClusterResponse](c, req, version)
			if version >= 1 && (resp.ErrorCode != want.Code || len(resp.Brokers) != 0) {
				t.Errorf("endpoint type %d: %+v", endpoint, resp)
			}
		}
	})
}
