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

// loss is what is said of a disk that has forgotten what it was taken to have: by
// the comparison after a start, by a reader who finds another record where one was, or by
// a coordinator whose own log is gone.
const loss = `after the start: |inconsistent offset|does not start|is lost|taken back|as good|came back|KAFKA_STORAGE_ERROR|CORRUPT_MESSAGE|NOT_COORDINATOR|COORDINATOR_NOT_AVAILABLE`

// mutants are the mistakes planted in the engine, with what the checker must
// complain of, and the seeds among which it must find them. The numbers are those
// of a search; a change of the engine or of the workload moves them, and then others
// are near.
var mutants = []struct {
	name, want string
	seeds      int
}{
	{"wal-sync", loss, 60},
	{"segment-sync", loss, 60},
	{"direct-sync", loss, 300},
	{"volume-sync", loss, 300},
	{"directory-sync", loss, 60},
	{"early-ack", `is acknowledged and the high watermark|is lost`, 60},
	{"ack-before-write", `is lost: it was acknowledged with acks=1`, 1500},
	{"early-highwatermark", `taken back`, 200},
	{"highwatermark-after-failure", `taken back|is acknowledged|deleted records are back|does not start`, 1000},
	{"early-duplicate", `is acknowledged and the high watermark|is lost`, 100},
	{"early-commit", `offset .* is committed, .* was acknowledged|group team: `, 200},
	{"producer-id", `is given out twice|is lost: it was committed`, 200},
	{"early-unlink", loss, 1500},
	{"unlink-before-checkpoint", loss, 500},
	{"compaction-drops-last", `is the last value of key`, 200},
	{"checkpoint-beside-queueing", loss, 2500},
	{"unverified-read", `served as good|holds another|is no batch`, 600},
	{"recovery-sync", loss, 200},
	{"left-file-idle", loss, 200},
	{"blocks-kept", `and blocks for`, 100},
	{"blocks-kept-by-start", `and blocks for`, 200},
	{"marker-apart", `a transaction that nobody has open hangs|records are committed|is committed, and the group.s offset is`, 600},
	{"partition-late", `a transaction that nobody has open hangs`, 300},
	{"early-laststable", `has no durable end`, 60},
	{"ends-one-by-one", `transactions: G-single`, 1000},
	{"abort-forgotten", `G1a|is shown as committed`, 300},
	{"uncommitted-offsets", `the group's offset is`, 300},
	{"early-share-ack", `comes to a share group again`, 200},
	{"share-dead-letter-apart", `dead letters`, 1000},
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
