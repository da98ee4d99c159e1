package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
)

// AlterConfigs: v0-2
//
// Behaviour:
//   - Replaces all configs that were set for a topic, a group, the broker or (with
//     the empty broker name) the cluster by those of the request: what is not named
//     goes back to its default. IncrementalAlterConfigs (44) does less harm.
//   - Resources stand for themselves; one that comes twice is refused.
//   - A change that is answered without error is on disk and in force.
//
// Versions:
//   - v2: flexible
func (a *api) alterConfigs(r *Request, req *kmsg.AlterConfigsRequest) Reply {
	resp := req.ResponseKind().(*kmsg.AlterConfigsResponse)
	times := map[resource]int{}
	for _, rr := range req.Resources {
		times[resource{rr.ResourceType, rr.ResourceName}]++
	}
	for _, rr := range req.Resources {
		out := kmsg.NewAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = rr.ResourceType, rr.ResourceName
		res := resource{rr.ResourceType, rr.ResourceName}
		err := a.editConfigs(res, times[res], req.ValidateOnly, func(map[string]string) (map[string]string, error) {
			configs := map[string]string{}
			for _, c := range rr.Configs {
				if _, twice := configs[c.Name]; twice {
					return nil, catalog.Refuse(kerr.InvalidRequest, "Error due to duplicate config keys")
				}
				if c.Value == nil {
					return nil, catalog.Refuse(kerr.InvalidRequest, "Null value not supported for : %s", c.Name)
				}
				configs[c.Name] = *c.Value
			}
			return configs, nil
		})
		out.ErrorCode, out.ErrorMessage = a.code(r, err), explain(err)
		resp.Resources = append(resp.Resources, out)
	}
	return answer(resp)
}

// resource is what has configs.
type resource struct {
	kind kmsg.ConfigResourceType
	name string
}

// editConfigs changes a resource's configs; times is how often the request has
// the resource.
func (a *api) editConfigs(res resource, times int, validateOnly bool, edit func(map[string]string) (map[string]string, error)) error {
	if times > 1 {
		return catalog.Refuse(kerr.InvalidRequest, "Each resource must appear at most once.")
	}
	switch res.kind {
	case kmsg.ConfigResourceTypeTopic:
		if res.name == "" {
			return catalog.Refuse(kerr.InvalidRequest, "Default topic resources are not allowed.")
		}
		return a.broker.SetTopicConfigs(res.name, validateOnly, edit)
	case kmsg.ConfigResourceTypeBroker:
		if err := a.brokerResource(res.name); err != nil {
			return err
		}
		return a.broker.SetBrokerConfigs(res.name, validateOnly, edit)
	case kmsg.ConfigResourceTypeGroupConfig:
		if res.name == "" {
			return catalog.Refuse(kerr.InvalidRequest, "Default group resources are not allowed.")
		}
		return a.broker.SetGroupConfigs(res.name, validateOnly, edit)
	}
	return unknownResource(res.kind)
}
