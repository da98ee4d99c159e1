package differential

import (
	"crypto/rand"
	"regexp"
	"testing"
	"time"

	"github.com/leatdev/leat/test/divergence"
)

// compare runs a case on both sides. Each line in which they differ must be in the
// list of divergences for this case, and each of these must be there.
func compare(t *testing.T, run func(s *script)) {
	t.Helper()
	p, k, l := sides(t)
	known := p.differs(t.Name())
	random := rand.Text()[:8]
	base := time.Now().UnixMilli() - 10_000
	both := [2][]string{}
	for i, side := range []*side{k, l} {
		s := newScript(side, random, base)
		run(s)
		both[i] = s.lines
	}
	if len(both[0]) == 0 {
		t.Error("nothing was compared")
	}
	check := func(name string, got []string, pattern func(divergence.Wire) string) {
		seen := map[string]bool{}
		for _, line := range got {
			expected := false
			for _, d := range known {
				p := pattern(d)
				if p != "" && regexp.MustCompile("^(?:"+p+")").MatchString(line) {
					expected, seen[p] = true, true
				}
			}
			if !expected {
				t.Errorf("only %s: %s", name, line)
			}
		}
		for _, d := range known {
			if p := pattern(d); p != "" && !seen[p] {
				t.Errorf("no longer only %s: %q, where it was because %s: %s; take it off the list", name, d.What, d.Because, p)
			}
		}
	}
	check(p.name, onlyIn(both[0], both[1]), func(d divergence.Wire) string { return d.OnlyKafka })
	check("leat", onlyIn(both[1], both[0]), func(d divergence.Wire) string { return d.OnlyLeat })
}

// onlyIn are the lines of a that b has not.
func onlyIn(a, b []string) (out []string) {
	index := map[string]bool{}
	for _, line := range b {
		index[line] = true
	}
	for _, line := range a {
		if !index[line] {
			out = append(out, line)
		}
	}
	return out
}
