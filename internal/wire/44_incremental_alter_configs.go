package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
)

// IncrementalAlterConfigs: v0-1
//
// Behaviour (KIP-339):
//   - Sets, deletes, appends to or subtracts from single configs of a topic, a
//     group, the broker or (with the empty broker name) the cluster.
//   - Appending to and subtracting from a list that is not set starts from the
//     value in effect. Taking what is not in it, or adding what is, changes
//     nothing. Deleting what is not set, or does not exist, is no error.
//   - All changes of a resource happen, or none.
//
// Versions:
//   - v1: flexible
func (a *api) incrementalAlterConfigs(r *Request, req *kmsg.IncrementalAlterConfigsRequest) Reply {
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	times := map[resource]int{}
	for _, rr := range req.Resources {
		times[resource{rr.ResourceType, rr.ResourceName}]++
	}
	for _, rr := range req.Resources {
		out := kmsg.NewIncrementalAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = rr.ResourceType, rr.ResourceName
		edits := make([]catalog.Edit, len(rr.Configs))
		for i, c := range rr.Configs {
			edits[i] = catalog.Edit{Name: c.Name, Op: catalog.EditOp(c.Op), Value: c.Value}
		}
		res := resource{rr.ResourceType, rr.ResourceName}
		err := a.editConfigs(res, times[res], req.ValidateOnly, func(configs map[string]string) (map[string]string, error) {
			defs, inherited := a.inherited(res)
			return catalog.ApplyEdits(configs, edits, defs, inherited)
		})
		out.ErrorCode, out.ErrorMessage = a.code(r, err), explain(err)
		resp.Resources = append(resp.Resources, out)
	}
	return answer(resp)
}

// inherited finds a resource's configs, and the value each has when it is not set.
func (a *api) inherited(res resource) (defs func(string) *catalog.Def, value func(string) string) {
	s := a.broker.Catalog.Snapshot()
	text := func(e catalog.Entry) string {
		if e.Value == nil {
			return ""
		}
		return *e.Value
	}
	switch res.kind {
	case kmsg.ConfigResourceTypeTopic:
		return catalog.TopicDef, func(name string) string { return text(s.TopicEntry(nil, catalog.TopicDef(name))) }
	case kmsg.ConfigResourceTypeGroupConfig:
		return catalog.GroupDef, func(name string) string { return text(s.GroupEntry(nil, catalog.GroupDef(name))) }
	}
	return catalog.BrokerDef, func(name string) string { return text(s.BrokerEntry(catalog.BrokerDef(name))) }
}
