package catalog

import (
	"errors"
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/leatdev/leat/internal/kafka"
)

func part(name string) kafka.QuotaPart { return kafka.QuotaOf(&name) }

func TestQuotaRecords(t *testing.T) {
	t.Parallel()
	anybody := kafka.QuotaOf(nil)
	for key, e := range map[string]kafka.QuotaEntity{
		"quota/user=alice":               {User: part("alice")},
		"quota/user":                     {User: anybody},
		"quota/client-id=a%2Cb%3Dc%2Fd+": {ClientID: part("a,b=c/d ")},
		"quota/client-id,user=alice":     {ClientID: anybody, User: part("alice")},
		"quota/client-id,user":           {ClientID: anybody, User: anybody},
		"quota/ip=%3A%3A1":               {IP: part("::1")},
		"quota/ip":                       {IP: anybody},
	} {
		name := kafka.QuotaProducerByteRate
		if e.IP.Scope != kafka.QuotaAbsent {
			name = kafka.QuotaConnectionCreationRate
		}
		c, err := New(1, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := PutQuotas(e, map[string]float64{name: 1048576}).Record(0)
		if string(r.Key) != key || string(r.Value) != `{"v":1,"quotas":{"`+name+`":1048576}}` {
			t.Errorf("%v is written as %s = %s, want %s", e, r.Key, r.Value, key)
		}
		ch, err := decode(r.Key, r.Value)
		if err != nil {
			t.Fatalf("%s: %v", r.Key, err)
		}
		before := c.Snapshot()
		c.Apply(ch)
		if got := c.Snapshot().QuotasOf(e); !maps.Equal(got, map[string]float64{name: 1048576}) || before.QuotasOf(e) != nil {
			t.Errorf("%s: reads %v; the catalogue before has %v", r.Key, got, before.QuotasOf(e))
		}
		gone := PutQuotas(e, nil).Record(0)
		if ch, err = decode(gone.Key, gone.Value); err != nil || gone.Value != nil {
			t.Fatalf("%s = %s: %v", gone.Key, gone.Value, err)
		}
		c.Apply(ch)
		for e := range c.Snapshot().Quotas() {
			t.Errorf("%v is still there", e)
		}
	}
	for key, value := range map[string]string{
		"quota/group=g":              `{"v":1,"quotas":{"producer_byte_rate":1}}`,
		"quota/":                     `{"v":1,"quotas":{"producer_byte_rate":1}}`,
		"quota/user,client-id":       `{"v":1,"quotas":{"producer_byte_rate":1}}`,
		"quota/user=":                `{"v":1,"quotas":{"producer_byte_rate":1}}`,
		"quota/user=a b":             `{"v":1,"quotas":{"producer_byte_rate":1}}`,
		"quota/user=%zz":             `{"v":1,"quotas":{"producer_byte_rate":1}}`,
		"quota/ip=nowhere":           `{"v":1,"quotas":{"connection_creation_rate":1}}`,
		"quota/ip=10.0.0.1,user=bob": `{"v":1,"quotas":{"producer_byte_rate":1}}`,
		"quota/user=alice":           `{"v":1,"quotas":{"thinking_rate":1}}`,
		"quota/user=bob":             `{"v":1,"quotas":{"producer_byte_rate":0}}`,
		"quota/user=carol":           `{"v":2,"quotas":{"producer_byte_rate":1}}`,
	} {
		if _, err := decode([]byte(key), []byte(value)); err == nil {
			t.Errorf("%s = %s is accepted", key, value)
		}
	}
	if _, err := decode([]byte("quota/user=alice"), []byte(`{"v":1,"quotas":{"thinking_rate":1}}`)); !errors.Is(err, errNewer) {
		t.Errorf("a quota that is not known: %v", err)
	}
}

func TestCheckQuotas(t *testing.T) {
	t.Parallel()
	user, ip := kafka.QuotaEntity{User: part("alice")}, kafka.QuotaEntity{IP: part("10.0.0.1")}
	for _, x := range []struct {
		e     kafka.QuotaEntity
		name  string
		value float64
		want  string
	}{
		{user, "producer_byte_rate", 1, ""},
		{user, "request_percentage", 0.01, ""},
		{user, "controller_mutation_rate", 0.5, ""},
		{ip, "connection_creation_rate", 10, ""},
		{user, "connection_creation_rate", 10, "Invalid configuration key connection_creation_rate"},
		{ip, "producer_byte_rate", 10, "Invalid configuration key producer_byte_rate"},
		{user, "consumer_byte_rate", 0, "Quota consumer_byte_rate must be greater than 0"},
		{user, "request_percentage", -1, "Quota request_percentage must be greater than 0"},
		{user, "producer_byte_rate", 1.5, "producer_byte_rate cannot be a fractional value."},
		{user, "producer_byte_rate", 1e19, "Proposed value for producer_byte_rate is too large for a LONG."},
		{ip, "connection_creation_rate", 3e9, "Proposed value for connection_creation_rate is too large for an INT."},
		{user, "request_percentage", math.Inf(1), "must be a number"},
		{user, "producer_byte_rate", math.NaN(), "must be a number"},
	} {
		err := CheckQuota(x.e, x.name, x.value)
		if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%v %s=%v: %v, want %q", x.e, x.name, x.value, err, x.want)
		}
	}
	for want, e := range map[string]kafka.QuotaEntity{
		"Invalid empty client quota entity":               {},
		"Empty user not supported":                        {User: part("")},
		"Empty client-id not supported":                   {ClientID: part(""), User: part("alice")},
		"here is not a valid IP or resolvable host.":      {IP: part("here")},
		"IP entity shouldnot be combined with User or Cl": {IP: kafka.QuotaOf(nil), User: part("alice")},
	} {
		if err := CheckQuotaEntity(e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", e, err, want)
		}
	}
}
