package catalog

import (
	"bytes"
	"testing"

	"github.com/leatdev/leat/internal/kafka"
)

// FuzzRecord feeds records to the decoder of the catalogue's log. What it accepts
// can be applied, and written again with the same meaning.
func FuzzRecord(f *testing.F) {
	for _, ch := range []Change{
		PutTopic("t", kafka.NewUUID(), 3, map[string]string{"retention.ms": "5"}),
		DropTopic("t"),
		PutBrokerConfigs("", map[string]string{"log.retention.ms": "5"}),
		PutBrokerConfigs("1", nil),
		PutQuotas(kafka.QuotaEntity{ClientID: kafka.QuotaOf(new("a,b=c/ü")), User: kafka.QuotaOf(nil)}, map[string]float64{"request_percentage": 0.1}),
		PutQuotas(kafka.QuotaEntity{IP: kafka.QuotaOf(new("::1"))}, nil),
	} {
		r := ch.Record(0)
		f.Add(r.Key, r.Value)
	}
	f.Add([]byte("topic/"), []byte(`{"v":1,"id":"AAAAAAAAAAAAAAAAAAAAAA","partitions":-1,"configs":{"cleanup.policy":"x"}}`))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		ch, err := decode(key, value)
		if err != nil {
			return
		}
		c, err := New(1, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Apply(ch)
		c.Snapshot().Topics()
		r := ch.Record(0)
		again, err := decode(r.Key, r.Value)
		if err != nil {
			t.Fatalf("%s = %s was accepted, %s = %s is not: %v", key, value, r.Key, r.Value, err)
		}
		if s := again.Record(0); !bytes.Equal(s.Key, r.Key) || !bytes.Equal(s.Value, r.Value) {
			t.Errorf("%s = %s became %s = %s", r.Key, r.Value, s.Key, s.Value)
		}
	})
}
