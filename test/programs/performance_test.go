package programs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/test/jvm"
	"github.com/leatdev/leat/test/leatproc"
)

func TestMain(m *testing.M) { leatproc.Main(m) }

// protocols are the group protocols of Java's consumer.
var protocols = []string{"classic", "consumer"}

// The performance programs say that all was sent and read, with every kind of
// acknowledgement and codec; and what they sent is in the log.
func TestPerformance(t *testing.T) {
	const records = 5000
	s := leatproc.Serve(t)
	broker, tools := jvm.Look(t, s.Addr), jvm.StartTools(t)
	run := func(class string, args ...string) []string {
		t.Helper()
		said, status := tools.Run("org.apache.kafka.tools."+class, args...)
		if status != 0 {
			t.Errorf("%s %q: status %d:\n%s", class, args, status, strings.Join(said, "\n"))
		}
		return said
	}
	ways := map[string][]string{
		"acks-0":      {"acks=0"},
		"acks-1":      {"acks=1", "enable.idempotence=false"},
		"acks-all":    {"acks=all", "enable.idempotence=false"},
		"idempotent":  {"enable.idempotence=true"},
		"gzip":        {"compression.type=gzip"},
		"snappy":      {"compression.type=snappy"},
		"lz4":         {"compression.type=lz4"},
		"zstd":        {"compression.type=zstd"},
		"transaction": {"transactional.id=performance"},
	}
	for name, props := range ways {
		broker.CreateTopic(name, 2)
		args := append([]string{"--bootstrap-server", s.Addr, "--topic", name, "--num-records", fmt.Sprint(records), "--throughput", "-1", "--record-size", "200", "--command-property"}, props...)
		said := run("ProducerPerformance", args...)
		if !slices.ContainsFunc(said, func(l string) bool { return strings.HasPrefix(l, fmt.Sprint(records, " records sent, ")) }) {
			t.Errorf("%s: the producer says %q", name, said)
		}
		// With acks=0 the producer ends before the broker has everything.
		leatproc.Until(t, 20*time.Second, name+": records", func() error { return leatproc.Atleast(int(broker.Ends(name)), records) })
		if got := len(broker.Read(name)); got != records {
			t.Errorf("%s: %d of %d records can be read", name, got, records)
		}
	}
	for _, protocol := range protocols {
		said := run("ConsumerPerformance", "--bootstrap-server", s.Addr, "--topic", "idempotent", "--num-records", fmt.Sprint(records), "--group", protocol,
			"--hide-header", "--timeout", "20000", "--command-property", "group.protocol="+protocol)
		// start, end, MB, MB/s, records, ...
		if f := strings.Split(strings.Join(said, " "), ", "); len(f) < 5 || f[4] != fmt.Sprint(records) {
			t.Errorf("%s: the consumer says %q", protocol, said)
		}
	}
	const trips = 200
	broker.CreateTopic("trips", 1)
	said := run("EndToEndLatency", s.Addr, "trips", fmt.Sprint(trips), "all", "100")
	if !slices.ContainsFunc(said, func(l string) bool { return strings.HasPrefix(l, "Percentiles: 50th = ") }) {
		t.Errorf("end to end: %q", said)
	}
	if got := broker.Ends("trips"); got != trips {
		t.Errorf("%d of %d records have made the trip", got, trips)
	}
}

// Kafka's check of what a broker is able to do.
func TestCompatibility(t *testing.T) {
	s := leatproc.Serve(t)
	jvm.Look(t, s.Addr).CreateTopic("compatibility", 1)
	said, status := jvm.StartTools(t).Run("org.apache.kafka.tools.ClientCompatibilityTest", "--bootstrap-server", s.Addr, "--topic", "compatibility",
		"--num-cluster-nodes", "1", "--offsets-for-times-supported", "True", "--cluster-id-supported", "True", "--expect-record-too-large-exception", "False",
		"--create-topics-supported", "True", "--describe-acls-supported", "False", "--describe-configs-supported", "True", "--idempotent-producer-supported", "True")
	if status != 0 || !slices.Contains(said, "SUCCESS.") {
		t.Errorf("status %d:\n%s", status, strings.Join(said, "\n"))
	}
}
