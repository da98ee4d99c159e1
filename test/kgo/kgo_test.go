package kgo

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/test/leatproc"
)

func TestMain(m *testing.M) { leatproc.Main(m) }

const module = "github.com/twmb/franz-go"

// TestFranzGo starts a broker and runs the suite; every test of it must be
// accounted for: passed, or absent for a reason that suite.txt gives.
func TestFranzGo(t *testing.T) {
	want, err := Expected()
	if err != nil {
		t.Fatal(err)
	}
	dir := sources(t, want.Version)
	bin := filepath.Join(t.TempDir(), "kgo.test")
	compile := exec.Command("go", "test", "-c", "-o", bin, ".")
	compile.Dir = dir
	compile.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("the suite does not compile: %v\n%s", err, out)
	}
	s := leatproc.Serve(t)
	out := run(t, s, dir, bin, want)

	passed, failed, skipped := results(out)
	t.Logf("franz-go %s: %d tests passed, %d failed, %d skipped, %d not started", want.Version, len(passed), len(failed), len(skipped), len(want.Without))
	if len(failed) > 0 {
		keep := filepath.Join(os.TempDir(), "leat-kgo-failed.log")
		_ = os.WriteFile(keep, []byte(out), 0o644)
		t.Errorf("failed: %s; its output is in %s", strings.Join(failed, ", "), keep)
	}
	var expected []string
	for _, a := range want.Skipped {
		expected = append(expected, a.Name)
	}
	slices.Sort(expected)
	slices.Sort(skipped)
	if !slices.Equal(skipped, expected) {
		t.Errorf("skipped themselves:\n%s\nsuite.txt says:\n%s", strings.Join(skipped, "\n"), strings.Join(expected, "\n"))
	}
	if len(passed) != want.Passed {
		t.Errorf("%d tests passed, suite.txt says %d", len(passed), want.Passed)
	}
	select {
	case <-s.Ended():
		t.Errorf("the broker has ended\n%s", s.Tail())
	default:
	}
}

// sources is where the module's sources lie.
func sources(t *testing.T, version string) string {
	t.Helper()
	out, err := exec.Command("go", "mod", "download", "-json", module+"@"+version).Output()
	var m struct{ Dir, Error string }
	if e := json.Unmarshal(out, &m); e != nil || m.Dir == "" {
		t.Fatalf("franz-go %s is not to be had: %v %v %s", version, err, e, m.Error)
	}
	used, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", module).Output()
	if err != nil || strings.TrimSpace(string(used)) != version {
		t.Errorf("Leat uses franz-go %s (%v), suite.txt is about %s: run the suite of the one in use", used, err, version)
	}
	return filepath.Join(m.Dir, "pkg", "kgo")
}

func run(t *testing.T, s *leatproc.Server, dir, bin string, want Suite) string {
	t.Helper()
	var without []string
	for _, a := range want.Without {
		without = append(without, "^"+regexp.QuoteMeta(a.Name)+"$")
	}
	suite := exec.Command(bin, "-test.v", "-test.timeout=6m", "-test.run=^Test", "-test.skip="+strings.Join(without, "|"))
	suite.Dir = dir // some of its tests read its sources
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "KGO_") {
			suite.Env = append(suite.Env, v)
		}
	}
	// The number of records per topic is the suite's own setting; its default of
	// half a million is for clusters.
	suite.Env = append(suite.Env, "KGO_SEEDS="+s.Addr, "KGO_TEST_RF=1", "KGO_TEST_RECORDS=20000")
	begin := time.Now()
	out, err := suite.CombinedOutput()
	t.Logf("the suite ran for %v", time.Since(begin).Round(time.Second))
	if err != nil && !strings.Contains(string(out), "--- FAIL") {
		t.Fatalf("the suite broke off: %v\n%s", err, out[max(0, len(out)-20000):])
	}
	return string(out)
}

var resultLine = regexp.MustCompile(`(?m)^( *)--- (PASS|FAIL|SKIP): (\S+) \(`)

// results are the tests by how they ended: passed ones at the top level only,
// failed and skipped ones at every level.
func results(out string) (passed, failed, skipped []string) {
	for _, m := range resultLine.FindAllStringSubmatch(out, -1) {
		switch {
		case m[2] == "FAIL":
			failed = append(failed, m[3])
		case m[2] == "SKIP":
			skipped = append(skipped, m[3])
		case m[1] == "":
			passed = append(passed, m[3])
		}
	}
	return passed, failed, skipped
}
