package wire

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
)

// quotaEntities are what Kafka's quotas can be for.
var quotaEntities = []string{"user", "client-id", "ip"}

// DescribeClientQuotas: v0-1
//
// Behaviour:
//   - No quota is in force, since none can be set: AlterClientQuotas (49) is not
//     served. A filter is checked as Kafka checks it.
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
	return answer(resp)
}

// checkQuotaFilter returns nil or a Refusal.
func checkQuotaFilter(components []kmsg.DescribeClientQuotasRequestComponent) error {
	seen := map[string]bool{}
	for _, c := range components {
		switch {
		case c.EntityType == "":
			return catalog.Refuse(kerr.InvalidRequest, "Unexpected empty filter component entity type")
		case !slices.Contains(quotaEntities, c.EntityType):
			return catalog.Refuse(kerr.UnsupportedVersion, "Custom entity type '%s' not supported; there are %q", c.EntityType, quotaEntities)
		case seen[c.EntityType]:
			return catalog.Refuse(kerr.InvalidRequest, "Duplicate filter component entity type '%s'", c.EntityType)
		}
		seen[c.EntityType] = true
		switch c.MatchType {
		case kmsg.QuotasMatchTypeExact:
			if c.Match == nil {
				return catalog.Refuse(kerr.InvalidRequest, "Request specifies MATCH_TYPE_EXACT, but matches null name.")
			}
		case kmsg.QuotasMatchTypeDefault, kmsg.QuotasMatchTypeAny:
			if c.Match != nil {
				return catalog.Refuse(kerr.InvalidRequest, "Match type %d of '%s' takes no name, but there is '%s'.", c.MatchType, c.EntityType, *c.Match)
			}
		default:
			return catalog.Refuse(kerr.InvalidRequest, "Unknown match type %d; 0 is by name, 1 the default, 2 any", c.MatchType)
		}
	}
	if seen["ip"] && len(seen) > 1 {
		return catalog.Refuse(kerr.InvalidRequest, "Invalid entity filter component combination: ip stands alone.")
	}
	return nil
}
