package catalog

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/kafka"
)

// Quotas yields the entities that have quotas of their own, and these by name, in
// order. The maps are not to be changed.
func (s *Snapshot) Quotas() iter.Seq2[kafka.QuotaEntity, map[string]float64] {
	return func(yield func(kafka.QuotaEntity, map[string]float64) bool) {
		for _, e := range slices.SortedFunc(maps.Keys(s.quotas), func(a, b kafka.QuotaEntity) int {
			return strings.Compare(entityKey(a), entityKey(b))
		}) {
			if !yield(e, s.quotas[e]) {
				return
			}
		}
	}
}

// QuotasOf are the quotas that were set for an entity.
func (s *Snapshot) QuotasOf(e kafka.QuotaEntity) map[string]float64 { return s.quotas[e] }

// The quotas of users and clients, and those of addresses.
var (
	clientQuotas = map[string]quotaDef{
		kafka.QuotaProducerByteRate:       {whole: "LONG", most: math.MaxInt64},
		kafka.QuotaConsumerByteRate:       {whole: "LONG", most: math.MaxInt64},
		kafka.QuotaRequestPercentage:      {},
		kafka.QuotaControllerMutationRate: {},
	}
	addressQuotas = map[string]quotaDef{
		kafka.QuotaConnectionCreationRate: {whole: "INT", most: math.MaxInt32},
	}
)

// quotaDef is what a quota may be.
type quotaDef struct {
	whole string  // the type of a whole number; "" for any number
	most  float64 // of a whole number
}

// CheckQuotaEntity returns nil or a Refusal with INVALID_REQUEST for an entity that
// cannot have quotas.
func CheckQuotaEntity(e kafka.QuotaEntity) error {
	for kind, name := range e.Parts() {
		if name != nil && *name == "" {
			return Refuse(kerr.InvalidRequest, "Empty %s not supported", kind)
		}
	}
	switch ip := e.IP; {
	case e == kafka.QuotaEntity{}:
		return Refuse(kerr.InvalidRequest, "Invalid empty client quota entity")
	case ip.Scope == kafka.QuotaAbsent:
		return nil
	case e.Size() > 1:
		// The words run together in Kafka, too.
		return Refuse(kerr.InvalidRequest, "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId")
	case ip.Scope == kafka.QuotaNamed:
		// Kafka takes names of hosts as well, and looks each up at every start.
		if _, err := netip.ParseAddr(ip.Name); err != nil {
			return Refuse(kerr.InvalidRequest, "%s is not a valid IP or resolvable host.", ip.Name)
		}
	}
	return nil
}

// CheckQuota returns nil or a Refusal with INVALID_REQUEST for a quota that the entity,
// which has been checked, cannot have.
func CheckQuota(e kafka.QuotaEntity, name string, value float64) error {
	defs := clientQuotas
	if e.IP.Scope != kafka.QuotaAbsent {
		defs = addressQuotas
	}
	d, ok := defs[name]
	switch {
	case !ok:
		return Refuse(kerr.InvalidRequest, "Invalid configuration key %s", name)
	case value <= 0:
		return Refuse(kerr.InvalidRequest, "Quota %s must be greater than 0", name)
	case d.whole != "" && value > d.most:
		article := map[string]string{"INT": "an", "LONG": "a"}[d.whole]
		return Refuse(kerr.InvalidRequest, "Proposed value for %s is too large for %s %s.", name, article, d.whole)
	case math.IsNaN(value) || math.IsInf(value, 0):
		return Refuse(kerr.InvalidRequest, "Quota %s must be a number, and not infinite; remove it where there is to be no limit", name)
	case d.whole != "" && math.Mod(value, 1) > 1e-6:
		return Refuse(kerr.InvalidRequest, "%s cannot be a fractional value.", name)
	}
	return nil
}

// PutQuotas sets the quotas of an entity; none takes them away. quotas must not be
// changed afterwards.
func PutQuotas(e kafka.QuotaEntity, quotas map[string]float64) Change {
	c := Change{key: quotaKey + entityKey(e), apply: func(s *Snapshot) {
		all := maps.Clone(s.quotas)
		if all == nil {
			all = make(map[kafka.QuotaEntity]map[string]float64)
		}
		if delete(all, e); len(quotas) > 0 {
			all[e] = quotas
		}
		s.quotas = all
	}}
	if len(quotas) > 0 {
		c.value = marshal(quotaValue{V: schemaVersion, Quotas: quotas})
	}
	return c
}

type quotaValue struct {
	V      int                `json:"v"`
	Quotas map[string]float64 `json:"quotas"`
}

// entityKey writes an entity into a record's key: client-id=app,user is the client app
// of the default user. What is between = and , is escaped as in the query of a URL.
func entityKey(e kafka.QuotaEntity) string {
	var parts []string
	for kind, name := range e.Parts() {
		if name != nil {
			kind += "=" + url.QueryEscape(*name)
		}
		parts = append(parts, kind)
	}
	return strings.Join(parts, ",")
}

// decodeQuotas reads a record of quotas. What no program of this version would write is
// an error, for it comes from a newer one.
func decodeQuotas(k, entity string, value []byte) (Change, error) {
	var e kafka.QuotaEntity
	for part := range strings.SplitSeq(entity, ",") {
		kind, escaped, named := strings.Cut(part, "=")
		p := e.Part(kind)
		if p == nil {
			return Change{}, fmt.Errorf("record %q is of an unknown kind: %w", k, errNewer)
		}
		name, err := url.QueryUnescape(escaped)
		if err != nil {
			return Change{}, fmt.Errorf("record %q: %w", k, err)
		}
		if *p = kafka.QuotaOf(&name); !named {
			*p = kafka.QuotaOf(nil)
		}
	}
	if entityKey(e) != entity {
		return Change{}, fmt.Errorf("record %q: the entity would be written %q", k, entityKey(e))
	}
	if err := CheckQuotaEntity(e); err != nil {
		return Change{}, fmt.Errorf("record %q: %w", k, err)
	}
	var v quotaValue
	if value != nil {
		if err := unmarshal(k, value, &v, &v.V); err != nil {
			return Change{}, err
		}
	}
	for name, n := range v.Quotas {
		if err := CheckQuota(e, name, n); err != nil {
			return Change{}, fmt.Errorf("record %q: %w: %w", k, err, errNewer)
		}
	}
	return PutQuotas(e, v.Quotas), nil
}
