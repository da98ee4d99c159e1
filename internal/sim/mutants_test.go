//go:build sim

package sim

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"testing"
)

// mutants are the mistakes planted in the engine, with what the checker must
// complain of, and the seeds among which it must find them. The numbers are those
// of a search; a change of the engine or of the workload moves them, and then others
// are near.
var mutants = []struct {
	name, want string
	seeds      int
}{
	{"wal-sync", `is lost|is gone|taken back|does not start`, 60},
	{"segment-sync", `CORRUPT_MESSAGE|does not start|is lost|taken for damage|is broken`, 60},
	{"direct-sync", `taken for damage|is lost|does not start`, 300},
	{"volume-sync", `does not start|is lost|taken for damage|is broken`, 300},
	{"directory-sync", `does not start|is lost|no such file|does not exist`, 60},
	{"early-ack", `is acknowledged and the high watermark|is lost`, 60},
	{"ack-before-write", `is lost: it was acknowledged with acks=1`, 1500},
	{"early-highwatermark", `taken back`, 200},
	{"highwatermark-after-failure", `taken back|is acknowledged`, 1000},
	{"early-duplicate", `is acknowledged and the high watermark|is lost`, 100},
	{"early-commit", `is committed`, 200},
	{"producer-id", `is given out twice`, 200},
	{"early-unlink", `does not start|does not exist|deleted records are back|is lost`, 1500},
	{"unlink-before-checkpoint", `KAFKA_STORAGE_ERROR|does not start|is lost`, 500},
	{"compaction-drops-last", `is the last value of key`, 200},
	{"checkpoint-beside-queueing", `is missing|is lost|is gone|taken back|fenced`, 2500},
	{"unverified-read", `served as good|holds another|is no batch`, 600},
	{"recovery-sync", `does not start|is lost|taken for damage|is broken`, 200},
}

// TestMutants shows that the checker bites: it finds each mistake, and nothing in
// the same seeds without one (TestSeeds).
func TestMutants(t *testing.T) {
	free := make(chan bool, runtime.GOMAXPROCS(0)) // a process has one World
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			free <- true
			defer func() { <-free }()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run", "^TestSeeds$", "-sim.mutant", m.name, "-sim.seeds", strconv.Itoa(m.seeds))
			out, err := cmd.CombinedOutput()
			found := regexp.MustCompile(`seed (\d+): (.*)`).FindSubmatch(out)
			switch {
			case err == nil:
				t.Errorf("%d seeds do not find it", m.seeds)
			case found == nil:
				t.Errorf("it fails, but not with a complaint: %v\n%s", err, out)
			case !regexp.MustCompile(m.want).Match(found[2]):
				t.Errorf("the complaint is not about it: %s", found[0])
			default:
				t.Logf("found by seed %s: %.160s", found[1], found[2])
			}
		})
	}
}
