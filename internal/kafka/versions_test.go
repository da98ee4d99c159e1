package kafka

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// kafka431 is what a running Apache Kafka 4.3.1 answers to ApiVersions for the
// keys of the table (default configs, one node).
var kafka431 = map[int16][2]int16{
	0: {0, 13}, 1: {4, 18}, 2: {1, 11}, 3: {0, 13}, 8: {2, 10}, 9: {1, 10}, 10: {0, 6},
	11: {0, 9}, 12: {0, 4}, 13: {0, 5}, 14: {0, 5}, 15: {0, 6}, 16: {0, 5}, 18: {0, 4},
	19: {2, 7}, 20: {1, 6}, 21: {0, 2}, 22: {0, 5}, 23: {2, 4}, 32: {1, 4}, 33: {0, 2},
	35: {1, 5}, 37: {0, 3}, 42: {0, 2}, 44: {0, 1}, 47: {0, 0}, 60: {0, 2}, 75: {0, 0},
}

// kafka44 are the maxima that 4.4 raised.
var kafka44 = map[int16]int16{18: 5, 42: 3}

func TestVersionsAreKafkas(t *testing.T) {
	for _, v := range Versions {
		want, ok := kafka431[v.Key]
		if !ok {
			t.Errorf("%s(%d) is not among Kafka's keys", v.Name, v.Key)
			continue
		}
		if m, ok := kafka44[v.Key]; ok {
			want[1] = m
		}
		if v.Min != want[0] || v.Max != want[1] {
			t.Errorf("%s(%d): %d to %d, Kafka says %d to %d", v.Name, v.Key, v.Min, v.Max, want[0], want[1])
		}
	}
	if len(Versions) != len(kafka431) {
		t.Errorf("%d keys, want %d", len(Versions), len(kafka431))
	}
}

func TestVersionsCanBeDecoded(t *testing.T) {
	if !slices.IsSortedFunc(Versions, func(a, b APIVersion) int { return int(a.Key) - int(b.Key) }) {
		t.Error("the table is not in the order of the keys")
	}
	for _, v := range Versions {
		req := kmsg.RequestForKey(v.Key)
		if req == nil {
			t.Fatalf("kmsg does not know key %d", v.Key)
		}
		if v.Max > req.MaxVersion() {
			t.Errorf("%s: we say %d, kmsg decodes up to %d", v.Name, v.Max, req.MaxVersion())
		}
		if name := kmsg.NameForKey(v.Key); name != v.Name && name != "InitProducerID" {
			t.Errorf("key %d is %s, not %s", v.Key, name, v.Name)
		}
		if v.Served < v.Min || v.Served > v.Max || v.Served != v.Min && v.Key != 0 {
			t.Errorf("%s: serves from %d on, says %d to %d", v.Name, v.Served, v.Min, v.Max)
		}
	}
}

// Gotcha: librdkafka up to 2.11.0 drops compression when Produce v0 is not
// advertised (KAFKA-18659); Kafka answers it with UNSUPPORTED_VERSION.
func TestProduceZeroIsSaidAndNotServed(t *testing.T) {
	v, ok := VersionsOf(0)
	if !ok || v.Min != 0 || v.Serves(2) || !v.Serves(3) || !v.Serves(13) || v.Serves(14) {
		t.Errorf("Produce is %+v, found %v", v, ok)
	}
	if _, ok := VersionsOf(7); ok {
		t.Error("ControlledShutdown is no API of this broker")
	}
}
