package differential

import (
	"cmp"
	"fmt"
	mrand "math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// quotaWords are what random alterations are made of. Names end as the run's do, so that
// other runs do not see them; a quota of everybody is so large that nobody waits.
var quotaWords = struct {
	users, clients, ips, keys []string
	values                    []float64
}{
	users: []string{"", "", "null", "alice", "bob"}, clients: []string{"", "", "null", "app", "c/d,e=f g"}, ips: []string{"", "", "", "", "", "10.9.8.7", "::9"},
	keys:   []string{"producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate", "connection_creation_rate", "nothing"},
	values: []float64{1e9, 2e9, 1048576000, 1e12, 0, -1, 1048576.5, 1e20},
}

// quotaPart is a part of an entity, from one of the words above.
func (s *script) quotaPart(kind, word string) (out []kmsg.AlterClientQuotasRequestEntryEntity) {
	if word == "" {
		return nil
	}
	e := kmsg.NewAlterClientQuotasRequestEntryEntity()
	if e.Type = kind; word != "null" {
		if kind != "ip" {
			word += "-" + s.run
		}
		e.Name = &word
	}
	return append(out, e)
}

// quotasInOrder sorts what brokers may tell in any order.
func quotasInOrder(resp kmsg.Response) {
	text := func(n int, of func(i int) (string, *string)) string {
		var parts []string
		for i := range n {
			kind, name := of(i)
			if name != nil {
				kind += "=" + *name
			}
			parts = append(parts, kind)
		}
		return strings.Join(parts, ",")
	}
	switch r := resp.(type) {
	case *kmsg.AlterClientQuotasResponse:
		slices.SortFunc(r.Entries, func(a, b kmsg.AlterClientQuotasResponseEntry) int {
			return cmp.Compare(text(len(a.Entity), func(i int) (string, *string) { return a.Entity[i].Type, a.Entity[i].Name }),
				text(len(b.Entity), func(i int) (string, *string) { return b.Entity[i].Type, b.Entity[i].Name }))
		})
	case *kmsg.DescribeClientQuotasResponse:
		slices.SortFunc(r.Entries, func(a, b kmsg.DescribeClientQuotasResponseEntry) int {
			return cmp.Compare(text(len(a.Entity), func(i int) (string, *string) { return a.Entity[i].Type, a.Entity[i].Name }),
				text(len(b.Entity), func(i int) (string, *string) { return b.Entity[i].Type, b.Entity[i].Name }))
		})
		for i := range r.Entries {
			slices.SortFunc(r.Entries[i].Values, func(a, b kmsg.DescribeClientQuotasResponseEntryValue) int { return cmp.Compare(a.Key, b.Key) })
		}
	}
}

// Random alterations of few entities, some of them wrong, each with what is told of all of
// them after it.
func TestAlterClientQuotas(t *testing.T) {
	compare(t, func(s *script) {
		s.thin = quotasInOrder
		w := &world{script: s}
		w.ensureTopic(barrier)
		r := mrand.New(mrand.NewPCG(49, 1))
		pick := func(of []string) string { return of[r.IntN(len(of))] }
		set := map[string]kmsg.AlterClientQuotasRequestEntry{} // all that were asked for, to be taken away
		for i := range 120 {
			v := int16(i % 2)
			req := kmsg.NewPtrAlterClientQuotasRequest()
			req.ValidateOnly = r.IntN(6) == 0
			named := map[string]bool{}
			for range 1 + r.IntN(2) {
				e := kmsg.NewAlterClientQuotasRequestEntry()
				e.Entity = slices.Concat(s.quotaPart("client-id", pick(quotaWords.clients)), s.quotaPart("user", pick(quotaWords.users)), s.quotaPart("ip", pick(quotaWords.ips)))
				whose := fmt.Sprint(len(e.Entity))
				for _, p := range e.Entity {
					whose += " " + p.Type
					if p.Name != nil {
						whose += "=" + *p.Name
					}
				}
				if named[whose] {
					continue // twice is a case of its own
				}
				named[whose] = true
				keys := slices.Clone(quotaWords.keys)
				r.Shuffle(len(keys), func(a, b int) { keys[a], keys[b] = keys[b], keys[a] })
				for _, key := range keys[:1+r.IntN(2)] {
					op := kmsg.NewAlterClientQuotasRequestEntryOp()
					op.Key, op.Value, op.Remove = key, quotaWords.values[r.IntN(len(quotaWords.values))], r.IntN(4) == 0
					if r.IntN(3) > 0 {
						op.Value = 1e9 // most are right
					}
					e.Ops = append(e.Ops, op)
				}
				req.Entries = append(req.Entries, e)
				set[whose] = e
			}
			s.note(fmt.Sprintf("alteration %d v%d", i, v), req, v)
			w.known()
			s.describeQuotas(fmt.Sprintf("after %d v%d", i, v), v)
		}
		twice := kmsg.NewPtrAlterClientQuotasRequest()
		for _, value := range []float64{1, 2} {
			e := kmsg.NewAlterClientQuotasRequestEntry()
			e.Entity = s.quotaPart("client-id", "twice")
			op := kmsg.NewAlterClientQuotasRequestEntryOp()
			op.Key, op.Value = "producer_byte_rate", value
			e.Ops = append(e.Ops, op)
			twice.Entries = append(twice.Entries, e)
			set["twice"] = e
		}
		s.note("twice", twice, 1)
		w.known()
		s.describeQuotas("after twice", 1)
		away := kmsg.NewPtrAlterClientQuotasRequest()
		for _, e := range set {
			e.Ops = nil
			for _, key := range quotaWords.keys[:5] {
				op := kmsg.NewAlterClientQuotasRequestEntryOp()
				op.Key, op.Remove = key, true
				e.Ops = append(e.Ops, op)
			}
			away.Entries = append(away.Entries, e)
		}
		s.note("away", away, 1)
		w.known()
		s.describeQuotas("after all", 1)
	})
}

// describeQuotas notes what there is, through several filters.
func (s *script) describeQuotas(label string, v int16) {
	alice := "alice-" + s.run
	for name, components := range map[string][]kmsg.DescribeClientQuotasRequestComponent{
		"all":                     {},
		"alice":                   {{EntityType: "user", MatchType: kmsg.QuotasMatchTypeExact, Match: &alice}},
		"default client":          {{EntityType: "client-id", MatchType: kmsg.QuotasMatchTypeDefault}},
		"any client of everybody": {{EntityType: "user", MatchType: kmsg.QuotasMatchTypeDefault}, {EntityType: "client-id", MatchType: kmsg.QuotasMatchTypeAny}},
		"any address":             {{EntityType: "ip", MatchType: kmsg.QuotasMatchTypeAny}},
	} {
		for _, strict := range []bool{false, true} {
			req := kmsg.NewPtrDescribeClientQuotasRequest()
			req.Components, req.Strict = components, strict
			s.note(fmt.Sprintf("%s, %s %v", label, name, strict), req, v)
		}
	}
}

// known waits until a change of quotas is known to Kafka's broker: see settle.
func (w *world) known() {
	if w.name == "kafka" {
		w.mark()
		w.mark()
	}
}
