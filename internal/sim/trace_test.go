//go:build sim

package sim

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The same seed does the same: every file operation, every answer, in the same
// order at the same moments.
func TestSameSeedSameTrace(t *testing.T) {
	all := map[uint64]bool{}
	for seed := range uint64(60) {
		a, b := play(seed+1, false), play(seed+1, false)
		if all[a.hash] = true; a.hash == b.hash {
			continue
		}
		one, two := strings.Split(play(seed+1, true).text, "\n"), strings.Split(play(seed+1, true).text, "\n")
		for i := range min(len(one), len(two)) {
			if one[i] != two[i] {
				t.Fatalf("seed %d parts at line %d:\n%s\n\n%s", seed+1, i+1, strings.Join(one[max(0, i-10):i+1], "\n"), two[i])
			}
		}
		t.Fatalf("seed %d: trace %x, then %x", seed+1, a.hash, b.hash)
	}
	if len(all) != 60 {
		t.Errorf("60 seeds did %d different things", len(all))
	}
}

// It does the same in another process, too: with other addresses, another hash
// seed of maps, another garbage collection.
func TestSameTraceInAnotherProcess(t *testing.T) {
	for _, seed := range []uint64{3, 14, 159} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run", "^TestSeeds$", "-sim.seed", fmt.Sprint(seed))
		cmd.Env = append(os.Environ(), "GOGC=20", "GOMAXPROCS=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		m := regexp.MustCompile(`trace ([0-9a-f]{16})`).FindSubmatch(out)
		if want := fmt.Sprintf("%016x", play(seed, false).hash); m == nil || string(m[1]) != want {
			t.Errorf("seed %d: another process comes to %s, this one to trace %s", seed, m, want)
		}
	}
}
