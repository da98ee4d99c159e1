package wire

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListConfigResources: v0-1
//
// Behaviour:
//   - The resources that have configs: topics, the broker, and the groups that
//     some were set for. Client metrics have none (there is no telemetry), and the
//     broker has no loggers to configure.
//   - A type that does not exist is UNSUPPORTED_VERSION.
//
// Versions:
//   - v0: asks for client metrics only (KIP-1000)
//   - v1: by types, none means all (KIP-1142)
func (a *api) listConfigResources(_ *Request, req *kmsg.ListConfigResourcesRequest) Reply {
	resp := req.ResponseKind().(*kmsg.ListConfigResourcesResponse)
	if req.Version == 0 {
		return answer(resp)
	}
	known := []int8{
		int8(kmsg.ConfigResourceTypeTopic), int8(kmsg.ConfigResourceTypeBroker), int8(kmsg.ConfigResourceTypeBrokerLogger),
		int8(kmsg.ConfigResourceTypeClientMetrics), int8(kmsg.ConfigResourceTypeGroupConfig),
	}
	for _, kind := range req.ResourceTypes {
		if !slices.Contains(known, kind) {
			resp.ErrorCode = kerr.UnsupportedVersion.Code
			return answer(resp)
		}
	}
	wanted := func(kind kmsg.ConfigResourceType) bool {
		return len(req.ResourceTypes) == 0 || slices.Contains(req.ResourceTypes, int8(kind))
	}
	add := func(kind kmsg.ConfigResourceType, name string) {
		out := kmsg.NewListConfigResourcesResponseConfigResource()
		out.Type, out.Name = int8(kind), name
		resp.ConfigResources = append(resp.ConfigResources, out)
	}
	s := a.broker.Catalog.Snapshot()
	if wanted(kmsg.ConfigResourceTypeTopic) {
		for _, t := range s.Topics() {
			add(kmsg.ConfigResourceTypeTopic, t.Name)
		}
	}
	if wanted(kmsg.ConfigResourceTypeBroker) {
		add(kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(a.node.id)))
	}
	if wanted(kmsg.ConfigResourceTypeGroupConfig) {
		for _, g := range s.GroupsWithConfigs() {
			add(kmsg.ConfigResourceTypeGroupConfig, g)
		}
	}
	return answer(resp)
}
