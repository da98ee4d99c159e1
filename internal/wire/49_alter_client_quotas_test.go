package wire

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// alteration reads "client-id=app,user producer_byte_rate=5 consumer_byte_rate=" into an
// entry of a request; a type without = is the default, a quota without a number goes.
func alteration(text string) (out kmsg.AlterClientQuotasRequestEntry) {
	out = kmsg.NewAlterClientQuotasRequestEntry()
	fields := strings.Split(text, " ")
	for _, part := range strings.Split(fields[0], ",") {
		if part == "-" {
			continue
		}
		e := kmsg.NewAlterClientQuotasRequestEntryEntity()
		kind, name, named := strings.Cut(part, "=")
		if e.Type = kind; named {
			e.Name = &name
		}
		out.Entity = append(out.Entity, e)
	}
	for _, f := range fields[1:] {
		op := kmsg.NewAlterClientQuotasRequestEntryOp()
		key, value, _ := strings.Cut(f, "=")
		op.Key = key
		if n, _ := fmt.Sscan(value, &op.Value); n == 0 {
			op.Remove = true
		}
		out.Ops = append(out.Ops, op)
	}
	return out
}

// alter asks for alterations and returns an answer for each entity, "ok" left out.
func alter(c *client, version int16, dry bool, texts ...string) string {
	c.t.Helper()
	req := kmsg.NewPtrAlterClientQuotasRequest()
	req.ValidateOnly = dry
	for _, text := range texts {
		req.Entries = append(req.Entries, alteration(text))
	}
	var out []string
	for _, e := range ask[*kmsg.AlterClientQuotasResponse](c, req, version).Entries {
		var parts []string
		for _, p := range e.Entity {
			parts = append(parts, entityText(p.Type, p.Name))
		}
		out = append(out, strings.Join(parts, ",")+" "+says(e.ErrorCode, e.ErrorMessage))
	}
	return strings.Join(out, "; ")
}

func entityText(kind string, name *string) string {
	if name == nil {
		return kind
	}
	return kind + "=" + *name
}

// quotasOf asks for the quotas that pass a filter: "user=alice client-id? ip", where ? is
// any, and a type alone the default.
func quotasOf(c *client, version int16, strict bool, filter string) string {
	c.t.Helper()
	req := kmsg.NewPtrDescribeClientQuotasRequest()
	req.Strict = strict
	for _, f := range strings.Fields(filter) {
		k := kmsg.NewDescribeClientQuotasRequestComponent()
		kind, name, named := strings.Cut(f, "=")
		switch {
		case named:
			k.Match = &name
		case strings.HasSuffix(kind, "?"):
			kind, k.MatchType = strings.TrimSuffix(kind, "?"), kmsg.QuotasMatchTypeAny
		default:
			k.MatchType = kmsg.QuotasMatchTypeDefault
		}
		k.EntityType = kind
		req.Components = append(req.Components, k)
	}
	resp := ask[*kmsg.DescribeClientQuotasResponse](c, req, version)
	if resp.ErrorCode != 0 {
		return says(resp.ErrorCode, nil)
	}
	var out []string
	for _, e := range resp.Entries {
		var parts, values []string
		for _, p := range e.Entity {
			parts = append(parts, entityText(p.Type, p.Name))
		}
		for _, v := range e.Values {
			values = append(values, fmt.Sprintf("%s=%v", v.Key, v.Value))
		}
		out = append(out, strings.Join(parts, ",")+" "+strings.Join(values, " "))
	}
	return strings.Join(out, "; ")
}

func TestAlterClientQuotas(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	c := b.dial()
	versions(t, 49, func(t *testing.T, v int16) {
		c.t = t
		expect(t, "all kinds", alter(c, v, false,
			"client-id=app producer_byte_rate=1024 request_percentage=12.5", "client-id consumer_byte_rate=10", "user=alice controller_mutation_rate=0.5",
			"user,client-id=app producer_byte_rate=7", "ip=10.0.0.7 connection_creation_rate=3", "ip connection_creation_rate=4"),
			"client-id=app ok; client-id ok; user=alice ok; client-id=app,user ok; ip=10.0.0.7 ok; ip ok")
		for filter, want := range map[string]string{
			"":                      "client-id consumer_byte_rate=10; client-id=app producer_byte_rate=1024 request_percentage=12.5; client-id=app,user producer_byte_rate=7; ip connection_creation_rate=4; ip=10.0.0.7 connection_creation_rate=3; user=alice controller_mutation_rate=0.5",
			"client-id=app":         "client-id=app producer_byte_rate=1024 request_percentage=12.5; client-id=app,user producer_byte_rate=7",
			"client-id":             "client-id consumer_byte_rate=10",
			"user":                  "client-id=app,user producer_byte_rate=7",
			"user?":                 "client-id=app,user producer_byte_rate=7; user=alice controller_mutation_rate=0.5",
			"user? client-id=app":   "client-id=app,user producer_byte_rate=7",
			"user=alice client-id?": "",
			"ip?":                   "ip connection_creation_rate=4; ip=10.0.0.7 connection_creation_rate=3",
			"ip=10.0.0.8":           "",
			"ip? user?":             "INVALID_REQUEST",
			"planet?":               "UNSUPPORTED_VERSION",
		} {
			expect(t, "filter "+filter, quotasOf(c, v, false, filter), want)
		}
		for filter, want := range map[string]string{
			"":                "",
			"client-id=app":   "client-id=app producer_byte_rate=1024 request_percentage=12.5",
			"user?":           "user=alice controller_mutation_rate=0.5",
			"client-id? user": "client-id=app,user producer_byte_rate=7",
		} {
			expect(t, "strict filter "+filter, quotasOf(c, v, true, filter), want)
		}
		expect(t, "dry", alter(c, v, true, "client-id=app producer_byte_rate=1", "user=alice nothing=1"),
			"client-id=app ok; user=alice INVALID_REQUEST: Invalid configuration key nothing")
		expect(t, "wrong ones", alter(c, v, false, "client-id=app producer_byte_rate=2 consumer_byte_rate=0", "user=bob,ip=10.0.0.7 producer_byte_rate=1", "planet=x producer_byte_rate=1",
			"- producer_byte_rate=1", "ip=here connection_creation_rate=1", "user= producer_byte_rate=1", "user=carol producer_byte_rate=5 producer_byte_rate="),
			"client-id=app INVALID_REQUEST: Quota consumer_byte_rate must be greater than 0; user=bob,ip=10.0.0.7 INVALID_REQUEST: Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId; "+
				"planet=x INVALID_REQUEST: Unhandled client quota entity type: planet;  INVALID_REQUEST: Invalid empty client quota entity; ip=here INVALID_REQUEST: here is not a valid IP or resolvable host.; "+
				"user= INVALID_REQUEST: Empty user not supported; user=carol INVALID_REQUEST: Ignoring duplicate entity ClientQuotaEntity(entries={user=carol})")
		expect(t, "twice", alter(c, v, false, "client-id=app producer_byte_rate=2", "user=alice controller_mutation_rate=", "client-id=app consumer_byte_rate=3"),
			"client-id=app INVALID_REQUEST: Ignoring duplicate entity ClientQuotaEntity(entries={client-id=app}); user=alice ok")
		expect(t, "unchanged", quotasOf(c, v, true, "client-id=app"), "client-id=app producer_byte_rate=1024 request_percentage=12.5")
		expect(t, "changed and gone", alter(c, v, false, "client-id=app producer_byte_rate= request_percentage=1 consumer_byte_rate=", "client-id consumer_byte_rate=",
			"client-id=app,user producer_byte_rate=", "ip=10.0.0.7 connection_creation_rate=", "ip connection_creation_rate="),
			"client-id=app ok; client-id ok; client-id=app,user ok; ip=10.0.0.7 ok; ip ok")
		expect(t, "what is left", quotasOf(c, v, false, ""), "client-id=app request_percentage=1")
		expect(t, "nothing", alter(c, v, false, "client-id=app request_percentage="), "client-id=app ok")
	})
	// More than one request may change at once: nothing of it is.
	many := kmsg.NewPtrAlterClientQuotasRequest()
	for i := range 10_001 {
		many.Entries = append(many.Entries, alteration(fmt.Sprintf("client-id=c%d producer_byte_rate=1", i)))
	}
	c.t = t
	for _, e := range ask[*kmsg.AlterClientQuotasResponse](c, many, 1).Entries {
		if got := says(e.ErrorCode, nil); got != "POLICY_VIOLATION" {
			t.Fatalf("10,001 quotas at once: %s", got)
		}
	}
	expect(t, "none of them", quotasOf(c, 1, false, ""), "")
}
