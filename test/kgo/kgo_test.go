package kgo

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/test/leatproc"
	"github.com/leatdev/leat/test/suite"
)

// The suite's own settings: its default of half a million records per topic is
// for clusters.
var (
	records = flag.Int("records", 50_000, "records per topic")
	beside  = flag.String("beside", "", "host:port of another broker to run the suite against instead, such as an Apache Kafka")
)

func TestMain(m *testing.M) { leatproc.Main(m) }

// TestFranzGo starts a broker and runs the suite; every test of it must be
// accounted for: passed, or absent for a reason that suite.txt gives.
func TestFranzGo(t *testing.T) {
	want, bin, dir := compiled(t)
	skip, err := want.Skip()
	if err != nil {
		t.Fatal(err)
	}
	out, results := run(t, bin, dir, nil, "-test.run=^Test", "-test.skip="+skip)
	want.Check(t, results)
	if t.Failed() {
		suite.Keep(t, filepath.Join(os.TempDir(), "leat-kgo-failed.log"), out)
	}
}

// TestChaos runs the suite's loops of groups once more while the suite itself cuts and
// delays their connections.
func TestChaos(t *testing.T) {
	_, bin, dir := compiled(t)
	out, results := run(t, bin, dir, []string{"KGO_TEST_CHAOS=1"}, "-test.run=^(TestGroupETL|TestShareGroupETL)$")
	t.Logf("%d tests passed", len(results.Passed))
	if len(results.Failed) > 0 || len(results.Passed) == 0 {
		t.Errorf("failed: %s", strings.Join(results.Failed, ", "))
		suite.Keep(t, filepath.Join(os.TempDir(), "leat-kgo-chaos-failed.log"), out)
	}
}

// compiled is the suite of the franz-go that Leat uses: what is expected of it,
// the program, and the folder to run it in, for some of its tests read its sources.
func compiled(t *testing.T) (want suite.Suite, bin, dir string) {
	t.Helper()
	want, err := Expected()
	if err != nil {
		t.Fatal(err)
	}
	used, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", Module).Output()
	if err != nil || strings.TrimSpace(string(used)) != want.Version {
		t.Errorf("Leat uses franz-go %s (%v), suite.txt is about %s: run the suite of the one in use", used, err, want.Version)
	}
	dir = filepath.Join(suite.Source(t, Module, want.Version), "pkg", "kgo")
	return want, suite.Compile(t, dir), dir
}

// run runs tests of the suite against a broker of their own.
func run(t *testing.T, bin, dir string, env []string, args ...string) (string, suite.Results) {
	t.Helper()
	addr, s := *beside, (*leatproc.Server)(nil)
	if addr == "" {
		s = leatproc.Serve(t)
		addr = s.Addr
	}
	cmd := exec.Command(bin, append([]string{"-test.v", "-test.timeout=6m"}, args...)...)
	cmd.Dir = dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "KGO_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "KGO_SEEDS="+addr, "KGO_TEST_RF=1", fmt.Sprintf("KGO_TEST_RECORDS=%d", *records))
	cmd.Env = append(cmd.Env, env...)
	begin := time.Now()
	text, err := cmd.CombinedOutput()
	out := string(text)
	t.Logf("the suite ran for %v", time.Since(begin).Round(time.Second))
	results := suite.Read(out)
	if err != nil && len(results.Failed) == 0 {
		t.Fatalf("the suite broke off: %v\n%s", err, out[max(0, len(out)-20000):])
	}
	if s != nil {
		select {
		case <-s.Ended():
			t.Errorf("the broker has ended\n%s", s.Tail())
		default:
		}
	}
	return out, results
}
