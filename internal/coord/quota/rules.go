package quota

import (
	"iter"
	"net/netip"

	"github.com/leatdev/leat/internal/kafka"
)

// Kind is what a quota is about.
type Kind int8

// The kinds of quotas that clients have; their units are bytes, bytes, hundredths of a
// second, and partitions, each per second.
const (
	Produce Kind = iota
	Fetch
	Request
	Mutation
	Kinds // how many there are
)

var kindNames = [Kinds]string{kafka.QuotaProducerByteRate, kafka.QuotaConsumerByteRate, kafka.QuotaRequestPercentage, kafka.QuotaControllerMutationRate}

// String is the name of the quota.
func (k Kind) String() string { return kindNames[k] }

// Client is who uses something: the user that a connection logged in as, and the client
// id of a request, which may be empty.
type Client struct{ User, ID string }

// Rules are the quotas that are set.
type Rules struct {
	limits [Kinds]map[kafka.QuotaEntity]float64
	// hosts are the connections per second of addresses by name, others what all
	// others may have each; 0 = no quota.
	hosts  map[netip.Addr]float64
	others float64
}

// NewRules makes rules of entities and their quotas by name; nil when there are none.
func NewRules(quotas iter.Seq2[kafka.QuotaEntity, map[string]float64]) *Rules {
	var r *Rules
	for e, values := range quotas {
		if r == nil {
			r = &Rules{}
		}
		for k, name := range kindNames {
			limit, ok := values[name]
			if !ok {
				continue
			}
			if r.limits[k] == nil {
				r.limits[k] = map[kafka.QuotaEntity]float64{}
			}
			r.limits[k][e] = limit
		}
		if limit, ok := values[kafka.QuotaConnectionCreationRate]; ok {
			r.addHost(e.IP, limit)
		}
	}
	return r
}

// addHost notes what an address may do. Of two ways to write one address the smaller
// quota counts.
func (r *Rules) addHost(ip kafka.QuotaPart, limit float64) {
	if ip.Scope == kafka.QuotaDefault {
		r.others = limit
		return
	}
	addr, ok := ParseHost(ip.Name)
	if !ok {
		return
	}
	if r.hosts == nil {
		r.hosts = map[netip.Addr]float64{}
	}
	if have, twice := r.hosts[addr]; !twice || limit < have {
		r.hosts[addr] = limit
	}
}

// ParseHost reads an address so that two ways to write it are one; false when it is none.
func ParseHost(text string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(text)
	return addr.Unmap().WithZone(""), err == nil
}

// host is what an address may do; 0 = no quota.
func (r *Rules) host(addr netip.Addr) float64 {
	if limit, ok := r.hosts[addr]; ok {
		return limit
	}
	return r.others
}

// OfClients reports whether any quota is for users or clients. r may be nil.
func (r *Rules) OfClients() bool {
	if r == nil {
		return false
	}
	for _, l := range r.limits {
		if len(l) > 0 {
			return true
		}
	}
	return false
}

// OfHosts reports whether any quota is for addresses. r may be nil.
func (r *Rules) OfHosts() bool { return r != nil && (len(r.hosts) > 0 || r.others > 0) }

// account is whose use counts together for a quota: all clients of a user, one client
// id of whatever user, or the two together. Which it is the entity says that the quota
// was found at.
type account struct {
	kind Kind
	Client
}

// Has reports whether a client has a quota of a kind.
func (r *Rules) Has(k Kind, c Client) bool {
	_, _, ok := r.find(k, c)
	return ok
}

// find returns the account and the quota of a client: that of the most specific entity.
func (r *Rules) find(k Kind, c Client) (account, float64, bool) {
	limits := r.limits[k]
	if len(limits) == 0 {
		return account{}, 0, false
	}
	var absent kafka.QuotaPart
	byDefault := kafka.QuotaOf(nil)
	user, id := kafka.QuotaOf(&c.User), kafka.QuotaOf(&c.ID)
	for _, try := range [...]struct{ user, id kafka.QuotaPart }{
		{user, id}, {user, byDefault}, {user, absent},
		{byDefault, id}, {byDefault, byDefault}, {byDefault, absent},
		{absent, id}, {absent, byDefault},
	} {
		if try.id != absent && c.ID == "" {
			continue // who gives no client id has no quota by it
		}
		limit, ok := limits[kafka.QuotaEntity{User: try.user, ClientID: try.id}]
		if !ok {
			continue
		}
		a := account{k, c}
		if try.user == absent {
			a.User = ""
		}
		if try.id == absent {
			a.ID = ""
		}
		return a, limit, true
	}
	return account{}, 0, false
}
