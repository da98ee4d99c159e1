package catalog

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write docs/configs.md anew from the rosters")

const configsDoc = "../../docs/configs.md"

// docs/configs.md is the rosters as text. After a change of a roster:
//
//	go test ./internal/catalog -run ConfigsDoc -rewrite
func TestConfigsDoc(t *testing.T) {
	want := configsText()
	if *rewrite {
		if err := os.WriteFile(configsDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(configsDoc)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s does not say what the rosters say; run: go test ./internal/catalog -run ConfigsDoc -rewrite", configsDoc)
	}
}

func configsText() string {
	var b strings.Builder
	b.WriteString(`# Configs

Leat takes the configs of Apache Kafka 4.3 under Kafka's names, with Kafka's types, ranges and defaults. Those in the first
table of each section do something; the others are accepted, checked, kept and described, and have no effect, because what they
tune does not exist here. An unknown name is an error (INVALID_CONFIG).

A topic's value is the first that is set of: the topic's own; the broker's dynamic config; the cluster's dynamic config; the one given
at start (` + "`-c name=value`" + `); the default. ` + "`leat topic config`" + ` and every Kafka admin tool show where each value comes from.

## Topic configs

| config | default | broker configs that stand in | what it does |
|---|---|---|---|
`)
	var idle []string
	for d := range TopicDefs() {
		if d.Does == "" {
			idle = append(idle, "`"+d.Name+"`")
			continue
		}
		var from []string
		for _, syn := range d.From {
			from = append(from, "`"+syn.name+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, shown(d), strings.Join(from, ", "), d.Does)
	}
	fmt.Fprintf(&b, "\nWithout effect: %s.\n", strings.Join(idle, ", "))
	b.WriteString("`remote.storage.enable=true` is refused, as by a Kafka without tiered storage.\n")

	b.WriteString(`
## Group configs

Of a consumer or share group, whether it exists or not (resource type GROUP; leat group config). A value outside of the bounds is refused; one that was set before they
were narrowed counts as the nearest within.

| config | default | broker config that stands in | bounds | what it does |
|---|---|---|---|---|
`)
	for d := range GroupDefs() {
		var from []string
		for _, syn := range d.From {
			from = append(from, "`"+syn.name+"`")
		}
		bounds := ""
		if d.low != "" {
			bounds = "`" + d.low + "`, `" + d.high + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", d.Name, shown(d), strings.Join(from, ", "), bounds, d.Does)
	}
	b.WriteString(`
## Broker configs

Dynamic ones can be changed while the broker runs (IncrementalAlterConfigs), for the broker or for the cluster; both are the same here but for
which of them comes first. The others are given at start.

| config | default | dynamic | what it does |
|---|---|---|---|
`)
	idle = nil
	for d := range BrokerDefs() {
		if d.Does == "" {
			idle = append(idle, "`"+d.Name+"`")
			continue
		}
		dynamic := ""
		if d.Dynamic {
			dynamic = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, shown(d), dynamic, d.Does)
	}
	fmt.Fprintf(&b, "\nWithout effect: %s.\n", strings.Join(idle, ", "))
	fmt.Fprintf(&b, `
%d more names of Kafka are accepted at start without effect (replication, the controller, tiered storage, groups of the streams protocol);
the broker names those that were given in its log. Configs of security (`+"`sasl.*`, `ssl.*`, `authorizer.*`"+` and the like) are refused:
there is none yet, and taking them would promise it. So are `+"`log.dir` and `log.dirs`"+`: the data directory is `+"`--data`"+`.
`, len(inertNames))
	return b.String()
}

func shown(d *Def) string {
	switch {
	case d.Null:
		return "–"
	case d.Default == "9223372036854775807":
		return "2^63-1"
	case d.Default == "2147483647":
		return "2^31-1"
	}
	return "`" + d.Default + "`"
}
