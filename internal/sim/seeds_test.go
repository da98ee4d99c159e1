//go:build sim

package sim

import (
	"flag"
	"fmt"
	"os"
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
	began := time.Now()
	var sum Stats
	n := 0
	for seed := *flagFrom; ; seed += *flagStep {
		if *flagFor > 0 && time.Since(began) > *flagFor || *flagFor == 0 && seed >= *flagFrom+*flagSeeds {
			break
		}
		o := play(seed, false)
		n++
		if o.err != nil {
			t.Errorf("seed %d: %v\nreplay: go test -tags sim ./internal/sim -run TestSeeds -sim.seed %d -sim.trace", seed, o.err, seed)
			if os.Getenv("SIM_ALL") == "" {
				return
			}
		}
		sum.add(o.stat)
	}
	t.Logf("%d seeds, %.0f per minute: %+v", n, float64(n)/time.Since(began).Minutes(), sum)
}
