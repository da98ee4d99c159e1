package wire

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/kafka"
)

// DescribeClientQuotas: v0-1
//
// Behaviour:
//   - The quotas of the entities that pass the filter, in order of the entities. Where it
//     is strict they are of the types that it names and of no other.
//   - A filter of nothing passes all; a strict one none, as in Kafka.
//   - kafka-python before 3 takes a broker without this key for older than 2.6.
//
// Versions:
//   - v1: flexible
func (a *api) describeClientQuotas(r *Request, req *kmsg.DescribeClientQuotasRequest) Reply {
	resp := req.ResponseKind().(*kmsg.DescribeClientQuotasResponse)
	if err := checkQuotaFilter(req.Components); err != nil {
		resp.ErrorCode, resp.ErrorMessage = a.code(r, err), explain(err)
		return answer(resp)
	}
	resp.Entries = []kmsg.DescribeClientQuotasResponseEntry{} // null means an error
	if req.Strict && len(req.Components) == 0 {
		return answer(resp)
	}
	for e, quotas := range a.broker.Catalog.Snapshot().Quotas() {
		if !passes(e, req.Components) || req.Strict && e.Size() != len(req.Components) {
			continue
		}
		out := kmsg.NewDescribeClientQuotasResponseEntry()
		for kind, name := range e.Parts() {
			o := kmsg.NewDescribeClientQuotasResponseEntryEntity()
			o.Type, o.Name = kind, name
			out.Entity = append(out.Entity, o)
		}
		for _, name := range slices.Sorted(maps.Keys(quotas)) {
			v := kmsg.NewDescribeClientQuotasResponseEntryValue()
			v.Key, v.Value = name, quotas[name]
			out.Values = append(out.Values, v)
		}
		resp.Entries = append(resp.Entries, out)
	}
	return answer(resp)
}

// passes tells whether an entity speaks of all types of a filter as that wants it to.
func passes(e kafka.QuotaEntity, filter []kmsg.DescribeClientQuotasRequestComponent) bool {
	for _, c := range filter {
		switch part := e.Part(c.EntityType); c.MatchType {
		case kmsg.QuotasMatchTypeAny:
			if part.Scope == kafka.QuotaAbsent {
				return false
			}
		default: // by name, or the default
			if *part != kafka.QuotaOf(c.Match) {
				return false
			}
		}
	}
	return true
}

// checkQuotaFilter returns nil or a Refusal, in Kafka's words.
func checkQuotaFilter(components []kmsg.DescribeClientQuotasRequestComponent) error {
	seen := map[string]bool{}
	for _, c := range components {
		switch {
		case c.EntityType == "":
			return catalog.Refuse(kerr.InvalidRequest, "Invalid empty entity type.")
		case seen[c.EntityType]:
			return catalog.Refuse(kerr.InvalidRequest, "Entity type %s cannot appear more than once in the filter.", c.EntityType)
		case new(kafka.QuotaEntity).Part(c.EntityType) == nil:
			return catalog.Refuse(kerr.UnsupportedVersion, "Unsupported entity type %s", c.EntityType)
		}
		seen[c.EntityType] = true
		switch c.MatchType {
		case kmsg.QuotasMatchTypeExact:
			if c.Match == nil {
				return catalog.Refuse(kerr.InvalidRequest, "Request specified MATCH_TYPE_EXACT, but set match string to null.")
			}
		case kmsg.QuotasMatchTypeDefault:
			if c.Match != nil {
				return catalog.Refuse(kerr.InvalidRequest, "Request specified MATCH_TYPE_DEFAULT, but also specified a match string.")
			}
		case kmsg.QuotasMatchTypeAny:
			if c.Match != nil {
				return catalog.Refuse(kerr.InvalidRequest, "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.")
			}
		default:
			return catalog.Refuse(kerr.InvalidRequest, "Unknown match type %d", c.MatchType)
		}
	}
	if seen[kafka.QuotaIP] && len(seen) > 1 {
		return catalog.Refuse(kerr.InvalidRequest, "Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component.")
	}
	return nil
}
