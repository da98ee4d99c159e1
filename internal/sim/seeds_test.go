//go:build sim

package sim

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat/internal/mutant"
)

var (
	flagSeed   = flag.Uint64("sim.seed", 0, "run this one seed")
	flagTrace  = flag.Bool("sim.trace", false, "print all that the seed does")
	flagSeeds  = flag.Uint64("sim.seeds", 300, "how many seeds to run")
	flagFrom   = flag.Uint64("sim.from", 1, "the first of them")
	flagStep   = flag.Uint64("sim.step", 1, "run each so-many-th")
	flagFor    = flag.Duration("sim.for", 0, "run seeds for so long, however many that are")
	flagLeast  = flag.Int("sim.least", 0, "with sim.for: how many seeds there must be")
	flagAll    = flag.Bool("sim.all", false, "go on after a seed that fails")
	flagMutant = flag.String("sim.mutant", "", "plant this mistake")
)

// outcome is what became of a seed.
type outcome struct {
	err  error
	hash uint64
	stat Stats
	text string
}

func play(seed uint64, trace bool) outcome {
	r := newRun(seed, trace)
	err := r.lives()
	return outcome{err, r.hist.hash, r.stat, r.hist.text()}
}

func TestSeeds(t *testing.T) {
	mutant.Plant(*flagMutant)
	if *flagSeed != 0 {
		o := play(*flagSeed, *flagTrace)
		fmt.Print(o.text)
		t.Logf("seed %d: trace %016x, %+v", *flagSeed, o.hash, o.stat)
		if o.err != nil {
			t.Fatalf("seed %d: %v", *flagSeed, o.err)
		}
		return
	}
	if *flagFor > 0 && *flagStep == 1 {
		many(t)
		return
	}
	began := time.Now()
	var sum Stats
	n := 0
	for seed := *flagFrom; ; seed += *flagStep {
		if *flagFor > 0 && time.Since(began) > *flagFor || *flagFor == 0 && seed >= *flagFrom+*flagSeeds {
			break
		}
		o := play(seed, false)
		n++
		sum.add(o.stat)
		if o.err != nil {
			t.Errorf("seed %d: %v\nreplay: go test -tags sim ./internal/sim -run TestSeeds -sim.seed %d -sim.trace", seed, o.err, seed)
			if !*flagAll {
				break
			}
		}
	}
	t.Logf("%d seeds, %.0f per minute: %+v", n, float64(n)/time.Since(began).Minutes(), sum)
}

// many runs seeds in as many processes as there are processors, each one of so
// many: a process has one World.
func many(t *testing.T) {
	procs := runtime.GOMAXPROCS(0)
	var children sync.WaitGroup
	var seeds atomic.Int64
	for i := range procs {
		children.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.timeout=0", "-test.run", "^TestSeeds$", "-sim.for", flagFor.String(),
				"-sim.from", fmt.Sprint(*flagFrom+uint64(i)), "-sim.step", fmt.Sprint(max(procs, 2)), "-sim.mutant", *flagMutant, fmt.Sprintf("-sim.all=%t", *flagAll))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if m := regexp.MustCompile(`(\d+) seeds, .*`).FindSubmatch(out); m != nil {
				n, _ := strconv.Atoi(string(m[1]))
				seeds.Add(int64(n))
				t.Logf("%s", m[0])
			}
		})
	}
	children.Wait()
	t.Logf("%d seeds in %v", seeds.Load(), *flagFor)
	if n := seeds.Load(); n < int64(*flagLeast) {
		t.Errorf("%d seeds in %v, at least %d are wanted", n, *flagFor, *flagLeast)
	}
}
