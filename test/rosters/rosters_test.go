package rosters

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/test/divergence"
	"github.com/leatdev/leat/test/leatproc"
)

func TestMain(m *testing.M) { leatproc.Main(m) }

// difference is one name in one list that the two have otherwise.
type difference struct{ list, how, name string }

// compare returns what differs, with what each says.
func compare(kafka, leat rosters) map[difference]string {
	out := map[difference]string{}
	for list := range kafka {
		for name, k := range kafka[list] {
			l, both := leat[list][name]
			if !both {
				out[difference{list, "missing", name}] = fmt.Sprint("Kafka has ", k)
				continue
			}
			for property := range k {
				if _, told := l[property]; told && k[property] != l[property] {
					out[difference{list, property, name}] = fmt.Sprintf("Kafka says %s, Leat %s", k[property], l[property])
				}
			}
		}
	}
	for list := range leat {
		for name, l := range leat[list] {
			if kafka[list][name] == nil {
				out[difference{list, "extra", name}] = fmt.Sprint("Leat has ", l)
			}
		}
	}
	return out
}

// listed are the differences that have a reason, by the list of divergences.
func listed(t *testing.T) map[difference]bool {
	out := map[difference]bool{}
	for _, r := range divergence.InRosters {
		for _, name := range r.Each() {
			d := difference{r.List, r.How, name}
			if out[d] {
				t.Errorf("the list of divergences has %v twice", d)
			}
			out[d] = true
		}
	}
	return out
}

// Nothing differs but what is listed, and all that is listed differs.
func TestRosters(t *testing.T) {
	kafka, leat := kafkas(t), ours(t)
	known, found := listed(t), compare(kafka, leat)
	inert := 0
	for d, what := range found {
		if d.list == "broker config" && d.how == "missing" && !known[d] && accepted(d.name) {
			inert++ // divergence.Inert
			continue
		}
		if !known[d] {
			t.Errorf("%s %s: %s: %s", d.list, d.name, d.how, what)
		}
	}
	for d := range known {
		if _, differs := found[d]; !differs {
			t.Errorf("%s %s: no longer %s; take it off the list of divergences", d.list, d.name, d.how)
		}
		if d.list == "broker config" && d.how == "missing" && accepted(d.name) {
			t.Errorf("broker config %s: listed as refused, and taken at start", d.name)
		}
	}
	for _, list := range slices.Sorted(maps.Keys(kafka)) {
		t.Logf("%s: Kafka has %d, Leat %d", list, len(kafka[list]), len(leat[list]))
	}
	t.Logf("%d broker configs are taken without effect", inert)
}

// accepted tells whether a start takes a broker config that it does not describe.
func accepted(name string) bool {
	_, err := catalog.New(1, map[string]string{name: "1"})
	return err == nil
}

// A name that is missing, one too many, and another value are each found.
func TestADifferenceIsFound(t *testing.T) {
	kafka, leat := rosters{}, rosters{}
	for name, value := range map[string]string{"same": "1", "missing": "1", "other": "1"} {
		kafka.set("broker config", name, "default", value)
	}
	for name, value := range map[string]string{"same": "1", "extra": "1", "other": "2"} {
		leat.set("broker config", name, "default", value)
	}
	got := compare(kafka, leat)
	for _, want := range []difference{{"broker config", "missing", "missing"}, {"broker config", "extra", "extra"}, {"broker config", "default", "other"}} {
		if _, ok := got[want]; !ok {
			t.Errorf("%v is not found", want)
		}
		delete(got, want)
	}
	if len(got) > 0 {
		t.Errorf("found, too: %v", got)
	}
}
