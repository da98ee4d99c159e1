package protocol

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/test/divergence"
)

// absence is a reason for which keys of Kafka's broker listener are not advertised.
type absence struct {
	keys    []int16
	because string
}

// absent are all of them: those of the Kafka that the rosters are compared with, and
// what a later one has.
func absent() ([]absence, error) {
	all := []absence{{[]int16{93}, "Kafka 4.4: Streams groups (KIP-1071)"}}
	for _, r := range divergence.InRosters {
		if r.List != "api" || r.How != "missing" {
			continue
		}
		a := absence{because: r.Because}
		for _, name := range r.Each() {
			key, err := strconv.ParseInt(name, 10, 16)
			if err != nil {
				return nil, fmt.Errorf("the list of divergences has a key %q: %w", name, err)
			}
			a.keys = append(a.keys, int16(key))
		}
		all = append(all, a)
	}
	return all, nil
}

// absentTable lists the keys that are not there.
func absentTable() (string, error) {
	all, err := absent()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("| keys | because |\n|---|---|\n")
	for _, a := range all {
		var names []string
		for _, k := range a.keys {
			names = append(names, fmt.Sprintf("%s (%d)", kmsg.NameForKey(k), k))
		}
		fmt.Fprintf(&b, "| %s | %s |\n", strings.Join(names, ", "), a.because)
	}
	return b.String(), nil
}

// internal are the keys that Kafka's broker listener does not have either.
var internal = []int16{4, 5, 6, 7, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82, 94}
