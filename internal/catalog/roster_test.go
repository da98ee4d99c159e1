package catalog

import (
	_ "embed"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

//go:embed testdata/kafka-4.3.1-describe-configs.txt
var kafkaSays string

// newer begins the names of configs that came with Kafka 4.4 (KIP-1191).
const newer = "errors.deadletterqueue."

// Names, types, defaults and what is dynamic are Kafka's.
func TestRosterAgreesWithKafka(t *testing.T) {
	t.Parallel()
	topics, brokers := 0, 0
	for line := range strings.Lines(kafkaSays) {
		f := strings.Fields(line)
		if f[0] == "#" {
			continue
		}
		kind, name, typ, access, def := f[0], f[1], f[2], f[3], f[4]
		d := TopicDef(name)
		if kind == "broker" {
			if d = BrokerDef(name); d == nil {
				continue // what it knows beyond ours: TestInertNames
			}
			brokers++
			fixed := name == "listeners" || name == "producer.id.expiration.ms" // here, read once
			if want := access == "rw" && !fixed; d.Dynamic != want {
				t.Errorf("%s: dynamic is %v, Kafka says %s", name, d.Dynamic, access)
			}
		} else {
			topics++
		}
		if d == nil {
			t.Errorf("%s config %s is missing", kind, name)
			continue
		}
		if d.Type.String() != typ {
			t.Errorf("%s: type %s, Kafka says %s", name, d.Type, typ)
		}
		if longer := name == "group.share.max.record.lock.duration.ms"; longer {
			def = `"86400000"` // models take hours
		}
		if got := textOf(d); def != "-" && got != def {
			t.Errorf("%s: default %s, Kafka says %s", name, got, def)
		}
	}
	own := 0
	for _, d := range brokerDefs {
		if strings.HasPrefix(d.Name, "leat.") || strings.HasPrefix(d.Name, newer) {
			own++
		}
	}
	for _, d := range topicDefs {
		if strings.HasPrefix(d.Name, newer) {
			topics++
		}
	}
	if topics != len(topicDefs) || brokers+own != len(brokerDefs) {
		t.Errorf("Kafka knows %d of our %d topic configs and %d of our %d broker configs, %d are our own", topics, len(topicDefs), brokers, len(brokerDefs), own)
	}
}

func textOf(d *Def) string {
	if d.Null {
		return "null"
	}
	return `"` + d.Default + `"`
}

func TestRosterIsCoherent(t *testing.T) {
	t.Parallel()
	byName := func(a, b Def) int { return strings.Compare(a.Name, b.Name) }
	if !slices.IsSortedFunc(topicDefs, byName) || !slices.IsSortedFunc(brokerDefs, byName) || !slices.IsSortedFunc(groupDefs, byName) {
		t.Error("a roster is not in order of name; find needs that")
	}
	for _, d := range slices.Concat(topicDefs, brokerDefs, groupDefs) {
		if _, err := d.parse(d.Default); err != nil && !d.Null {
			t.Errorf("default of %s: %v", d.Name, err)
		}
		for _, syn := range d.From {
			b := BrokerDef(syn.name)
			if b == nil {
				t.Errorf("%s comes from %s, which does not exist", d.Name, syn.name)
				continue
			}
			if syn.factor == 1 && b.Type != d.Type {
				t.Errorf("%s is %s, %s is %s", d.Name, d.Type, b.Name, b.Type)
			}
		}
	}
}

// Kafka's names are taken on the command line even where they mean nothing
// (reference: behaviours 14), but for those that promise security.
func TestInertNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"group.streams.heartbeat.interval.ms", "num.network.threads", "controller.quorum.voters", "transaction.state.log.min.isr"} {
		if _, err := New(1, map[string]string{name: "1000"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, want := range map[string]string{
		"sasl.enabled.mechanisms": "no authentication",
		"ssl.keystore.location":   "no authentication",
		"authorizer.class.name":   "no authentication",
		"log.dirs":                "give it with --data",
		"nope":                    "Unknown broker config name: nope",
		"retention.ms":            "the broker's default for it is log.retention.ms",
	} {
		_, err := New(1, map[string]string{name: "x"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", name, err, want)
		}
	}
	if got := Inert(map[string]string{"num.partitions": "3", "num.io.threads": "8", "log.preallocate": "true", "num.partitons": "3"}); !slices.Equal(got, []string{"log.preallocate", "num.io.threads"}) {
		t.Errorf("inert: %q", got)
	}
}

// A config that says what it does is read somewhere: by name in the program, or as
// the broker's default for a topic config that does something.
func TestConfigsWithAnEffectAreRead(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	err := filepath.WalkDir("../..", func(name string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(e.Name(), "roster_") {
			return err
		}
		b, err := os.ReadFile(name)
		source.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) bool { return strings.Contains(source.String(), `"`+name+`"`) }
	defaults := map[string]bool{}
	for d := range TopicDefs() {
		if does := d.Does != ""; does != read(d.Name) && d.Name != "remote.storage.enable" { // that one is only refused
			t.Errorf("topic config %s has an effect: %v; the program reads it: %v", d.Name, does, !does)
		}
		for _, syn := range d.From {
			defaults[syn.name] = defaults[syn.name] || d.Does != ""
		}
	}
	for d := range GroupDefs() {
		if !read(d.Name) {
			t.Errorf("nothing reads the group config %s", d.Name)
		}
		for _, syn := range d.From {
			defaults[syn.name] = true
		}
		defaults[d.low], defaults[d.high] = true, true
	}
	for d := range BrokerDefs() {
		if does := d.Does != ""; does != (read(d.Name) || defaults[d.Name]) {
			t.Errorf("broker config %s has an effect: %v; the program reads it: %v", d.Name, does, !does)
		}
	}
}
