package features

import (
	"flag"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/leatdev/leat/test/kafkaproc"
	"github.com/leatdev/leat/test/leatproc"
)

// TestMain lets all suites run side by side, whatever the number of processors:
// each has a broker to itself and waits far more than it works.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	leatproc.Main(m)
}

// packages are those whose tests take any cluster (internal/testcluster).
var packages = []string{"./worker", "./internal/flow", "./internal/deadletter"}

// skipped are the tests that only kfake can serve: those that make the cluster
// fail, and those that measure time.
var skipped = map[string][]string{
	"./worker": {"TestBatchToldToComeBackLaterIsNotSplit", "TestCommittedWaitsForTheCoordinator", "TestFencedCommitsAreNotFatal",
		"TestLimitsAreAskedForUntilToldOf", "TestLoneMessageWaitsNoLongerThanWait/0s", "TestLoneMessageWaitsNoLongerThanWait/3s",
		"TestLoneMessageWaitsNoLongerThanWait/50ms", "TestRetentionLossStops/while_reading,_offsets_not_to_be_had_at_first:_true",
		"TestRetryAfterIsHonoured", "TestStartIsAskedForUntilToldOf"},
}

func TestOnLeat(t *testing.T) {
	t.Parallel()
	for _, pkg := range packages {
		t.Run(path.Base(pkg), func(t *testing.T) {
			t.Parallel()
			s := leatproc.Serve(t, "-c", "group.initial.rebalance.delay.ms=0")
			run(t, pkg, s.Addr)
			s.Stop(t)
		})
	}
}

func TestOnKafka(t *testing.T) {
	t.Parallel()
	for _, pkg := range packages {
		t.Run(path.Base(pkg), func(t *testing.T) {
			t.Parallel()
			addr, stop, err := kafkaproc.Start()
			if err != nil {
				leatproc.Missing(t, "Apache Kafka", err)
			}
			t.Cleanup(stop)
			run(t, pkg, addr)
		})
	}
}

var resultLine = regexp.MustCompile(`(?m)^ *--- (PASS|FAIL|SKIP): (\S+) \(`)

// run runs a package's tests against the brokers at seeds: all must pass but those
// that are known to need kfake.
func run(t *testing.T, pkg, seeds string) {
	t.Helper()
	cmd := exec.Command("go", "test", "-count=1", "-v", "-timeout=8m", pkg)
	cmd.Dir = leatproc.Root(t)
	cmd.Env = append(os.Environ(), "LEAT_TEST_SEEDS="+seeds)
	out, err := cmd.CombinedOutput()
	results := map[string][]string{}
	for _, m := range resultLine.FindAllStringSubmatch(string(out), -1) {
		results[m[1]] = append(results[m[1]], m[2])
	}
	t.Logf("%d passed, %d failed, %d skipped", len(results["PASS"]), len(results["FAIL"]), len(results["SKIP"]))
	if err != nil {
		t.Errorf("%v\n%s", err, out[max(0, len(out)-20000):])
	}
	if len(results["PASS"]) == 0 {
		t.Error("no test ran")
	}
	slices.Sort(results["SKIP"])
	if !slices.Equal(results["SKIP"], skipped[pkg]) {
		t.Errorf("skipped themselves:\n%s\nknown are:\n%s", strings.Join(results["SKIP"], "\n"), strings.Join(skipped[pkg], "\n"))
	}
}
