package wire

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
)

// DescribeConfigs: v1-4
//
// Behaviour:
//   - Of a topic all configs; of the broker, by its node id, all configs that
//     Leat knows; of the cluster, by the empty broker name, those that were set
//     for it.
//   - A value has its source, and on request every place it could have come from
//     and a sentence of documentation. Names that do not exist are left out.
//   - Sensitive values are null.
//   - Of a group, which need not exist, all configs of groups.
//   - Loggers and client metrics have no configs here: INVALID_REQUEST.
//
// Versions:
//   - v1: sources and synonyms (KIP-226)
//   - v3: types and documentation (KIP-569)
func (a *api) describeConfigs(r *Request, req *kmsg.DescribeConfigsRequest) Reply {
	resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
	for _, rr := range req.Resources {
		out := kmsg.NewDescribeConfigsResponseResource()
		out.ResourceType, out.ResourceName = rr.ResourceType, rr.ResourceName
		entries, err := a.configEntries(rr.ResourceType, rr.ResourceName)
		if err != nil {
			out.ErrorCode, out.ErrorMessage = a.code(r, err), explain(err)
		}
		for _, e := range entries {
			if len(rr.ConfigNames) == 0 || slices.Contains(rr.ConfigNames, e.Def.Name) {
				out.Configs = append(out.Configs, configEntry(e, rr.ResourceType, req))
			}
		}
		resp.Resources = append(resp.Resources, out)
	}
	return answer(resp)
}

// configEntries are all configs of a resource.
func (a *api) configEntries(kind kmsg.ConfigResourceType, name string) ([]catalog.Entry, error) {
	s := a.broker.Catalog.Snapshot()
	var entries []catalog.Entry
	switch kind {
	case kmsg.ConfigResourceTypeTopic:
		t := s.Topic(name)
		if t == nil {
			return nil, notThere(name, nil)
		}
		for d := range catalog.TopicDefs() {
			entries = append(entries, s.TopicEntry(t.Configs, d))
		}
	case kmsg.ConfigResourceTypeBroker:
		if err := a.brokerResource(name); err != nil {
			return nil, err
		}
		if name == "" {
			return s.ClusterEntries(), nil
		}
		for d := range catalog.BrokerDefs() {
			entries = append(entries, s.BrokerEntry(d))
		}
	case kmsg.ConfigResourceTypeGroupConfig:
		if name == "" {
			return nil, catalog.Refuse(kerr.InvalidRequest, "Group name must not be empty")
		}
		for d := range catalog.GroupDefs() {
			entries = append(entries, s.GroupEntry(s.GroupConfigs(name), d))
		}
	default:
		return nil, unknownResource(kind)
	}
	return entries, nil
}

// brokerResource checks the name of a broker resource: "" is the whole cluster.
func (a *api) brokerResource(name string) error {
	if name == "" {
		return nil
	}
	id, err := strconv.ParseInt(name, 10, 32)
	switch {
	case err != nil:
		return catalog.Refuse(kerr.InvalidRequest, "Node id must be an integer, but it is: %s", name)
	case int32(id) != a.node.id:
		return catalog.Refuse(kerr.InvalidRequest, "Unexpected broker id, expected %d or empty string, but received %s", a.node.id, name)
	}
	return nil
}

func unknownResource(kind kmsg.ConfigResourceType) error {
	return catalog.Refuse(kerr.InvalidRequest, "Unknown resource type %d; topics (%d), brokers (%d) and groups (%d) have configs here",
		kind, kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeBroker, kmsg.ConfigResourceTypeGroupConfig)
}

func configEntry(e catalog.Entry, kind kmsg.ConfigResourceType, req *kmsg.DescribeConfigsRequest) kmsg.DescribeConfigsResponseResourceConfig {
	d := e.Def
	show := func(value *string) *string {
		if d.Sensitive() {
			return nil
		}
		return value
	}
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name, c.Value, c.Source = d.Name, show(e.Value), e.Source
	c.ReadOnly = kind == kmsg.ConfigResourceTypeBroker && !d.Dynamic
	c.IsSensitive, c.ConfigType = d.Sensitive(), d.Type
	if req.IncludeSynonyms {
		for _, syn := range e.Synonyms {
			s := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
			s.Name, s.Value, s.Source = syn.Name, show(syn.Value), syn.Source
			c.ConfigSynonyms = append(c.ConfigSynonyms, s)
		}
	}
	if req.IncludeDocumentation {
		c.Documentation = kmsg.StringPtr(d.Documentation())
	}
	return c
}
