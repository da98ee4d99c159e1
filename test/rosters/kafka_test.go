package rosters

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatdev/leat/test/kafkaproc"
	"github.com/leatdev/leat/test/leatproc"
)

// entry is one line of a roster: the properties of a name.
type entry map[string]string

// rosters are lists of names by what they are of.
type rosters map[string]map[string]entry

func (r rosters) set(list, name, property, value string) {
	if r[list] == nil {
		r[list] = map[string]entry{}
	}
	if r[list][name] == nil {
		r[list][name] = entry{}
	}
	r[list][name][property] = value
}

// add appends to a property that has several values, which come in order.
func (r rosters) add(list, name, property, value string) {
	r.set(list, name, property, strings.TrimSpace(r[list][name][property]+" "+value))
}

// kafkas are the rosters of Kafka's jars.
func kafkas(t *testing.T) rosters {
	t.Helper()
	libs, err := kafkaproc.Jars()
	if err != nil {
		leatproc.Missing(t, "Apache Kafka's jars", err)
	}
	java, err := exec.LookPath("java")
	if err != nil {
		leatproc.Missing(t, "java", err)
	}
	cmd := exec.CommandContext(t.Context(), java, "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(libs, "*"), "Rosters.java")
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("Rosters.java: %v\n%s", err, complaints.String())
	}
	r := rosters{}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		switch f[0] {
		case "config":
			list := f[1] + " config"
			r.set(list, f[2], "type", f[3])
			r.set(list, f[2], "default", f[4])
			if f[1] == "broker" {
				r.set(list, f[2], "dynamic", "false")
			} else {
				r.set(list, f[2], "synonyms", "")
			}
		case "synonym":
			// One without a default is not to be seen in an answer before it is set.
			if b := r["broker config"][f[3]]; b != nil && b["default"] != "null" {
				r.add(f[1]+" config", f[2], "synonyms", f[3])
			}
		case "dynamic":
			if r["broker config"][f[1]] != nil { // some are of topics, or of what is internal
				r.set("broker config", f[1], "dynamic", "true")
			}
		case "error":
			if f[2] != "NONE" {
				r.set("error", f[1], "name", f[2])
			}
		case "api":
			r.set("api", f[1], "name", f[2])
			r.set("api", f[1], "versions", f[3]+" to "+f[4])
		case "feature":
			r.set("feature", f[1], "levels", f[2]+" to "+f[3])
		default:
			t.Fatalf("Rosters.java prints %q", line)
		}
	}
	for list, least := range map[string]int{"topic config": 30, "broker config": 300, "group config": 15, "error": 130, "api": 70, "feature": 5} {
		if len(r[list]) < least {
			t.Fatalf("Rosters.java prints %d of the list %q", len(r[list]), list)
		}
	}
	return r
}
