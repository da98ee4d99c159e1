package kafka

import (
	"cmp"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// kafka431 is what a running Apache Kafka 4.3.1 answers to ApiVersions (default
// configs, one node), but for the keys of brokers and controllers among themselves
// and those that docs/protocol.md says are left out.
var kafka431 = map[int16][2]int16{
	0: {0, 13}, 1: {4, 18}, 2: {1, 11}, 3: {0, 13}, 8: {2, 10}, 9: {1, 10}, 10: {0, 6}, 11: {0, 9}, 12: {0, 4},
	13: {0, 5}, 14: {0, 5}, 15: {0, 6}, 16: {0, 5}, 17: {0, 1}, 18: {0, 4}, 19: {2, 7}, 20: {1, 6}, 21: {0, 2},
	22: {0, 5}, 23: {2, 4}, 24: {0, 5}, 25: {0, 4}, 26: {0, 5}, 27: {1, 2}, 28: {0, 5}, 29: {1, 3}, 30: {1, 3}, 31: {1, 3},
	32: {1, 4}, 33: {0, 2}, 35: {1, 5}, 36: {0, 2}, 37: {0, 3}, 42: {0, 2}, 43: {0, 2}, 44: {0, 1}, 45: {0, 1},
	46: {0, 0}, 47: {0, 0}, 48: {0, 1}, 49: {0, 1}, 50: {0, 0}, 51: {0, 0}, 55: {0, 2}, 57: {0, 2}, 60: {0, 2},
	61: {0, 0}, 64: {0, 0}, 65: {0, 0}, 66: {0, 2}, 68: {0, 1}, 69: {0, 1}, 74: {0, 1}, 75: {0, 0}, 76: {1, 1},
	77: {1, 1}, 78: {1, 2}, 79: {1, 2}, 90: {0, 1}, 91: {0, 0}, 92: {0, 0},
}

// kafka44 are the maxima that 4.4 raised.
var kafka44 = map[int16]int16{18: 5, 28: 6, 42: 3}

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
}

// kmsgNames are the keys that kmsg calls otherwise than Kafka.
var kmsgNames = map[int16]string{22: "InitProducerID", 45: "AlterPartitionAssignments"}

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
		if name := kmsg.NameForKey(v.Key); name != cmp.Or(kmsgNames[v.Key], v.Name) {
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
