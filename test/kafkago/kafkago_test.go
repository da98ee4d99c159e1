package kafkago

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat/test/leatproc"
	"github.com/leatdev/leat/test/suite"
)

func TestMain(m *testing.M) { leatproc.Main(m) }

// shares is how many brokers divide the tests: they mostly wait, and are not
// made to run beside each other on one.
const shares = 6

// packages are the ones whose tests need a broker.
var packages = []string{".", "topics"}

// TestKafkaGo runs the suite; every test of it must be accounted for: passed, or
// listed in suite.txt with a reason.
func TestKafkaGo(t *testing.T) {
	want, err := Expected()
	if err != nil {
		t.Fatal(err)
	}
	source := suite.Source(t, Module, want.Version)
	leatproc.Build(t, "./cmd/leat")
	without := map[string]bool{}
	for _, a := range want.Without {
		without[a.Name] = true
	}
	var portions [shares][]portion
	dealt := 0
	for _, pkg := range packages {
		dir := filepath.Join(source, pkg)
		bin := suite.Compile(t, dir)
		out, err := exec.Command(bin, "-test.list=^Test").Output()
		if err != nil {
			t.Fatal(err)
		}
		var names [shares][]string
		for _, name := range strings.Fields(string(out)) {
			if without[name] {
				delete(without, name)
				continue
			}
			names[dealt%shares] = append(names[dealt%shares], name)
			dealt++
		}
		for i := range portions {
			portions[i] = append(portions[i], portion{dir, bin, names[i]})
		}
	}
	for name := range without {
		t.Errorf("suite.txt leaves out %s, and there is no such test", name)
	}

	var all suite.Results
	var mu sync.Mutex
	var outputs strings.Builder
	t.Run("share", func(t *testing.T) {
		for i, portions := range portions {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				out := run(t, portions)
				r := suite.Read(out)
				mu.Lock()
				defer mu.Unlock()
				all.Passed, all.Failed, all.Skipped = append(all.Passed, r.Passed...), append(all.Failed, r.Failed...), append(all.Skipped, r.Skipped...)
				outputs.WriteString(out)
			})
		}
	})
	if want.Check(t, all); t.Failed() {
		suite.Keep(t, filepath.Join(os.TempDir(), "leat-kafkago-failed.log"), outputs.String())
	}
}

// portion are tests of a package.
type portion struct {
	dir, bin string
	names    []string
}

// run runs tests against a broker at the address that the suite knows.
func run(t *testing.T, portions []portion) string {
	t.Helper()
	if err := ownNetwork(t); err != nil {
		leatproc.Missing(t, "a network of its own, which root may make", err)
	}
	// An Apache Kafka as it is shipped has the same delay.
	s := leatproc.New(t, "./cmd/leat", t.TempDir(), "--advertise", "localhost:9092", "-c", "message.max.bytes=200000000",
		"-c", "group.initial.rebalance.delay.ms=0")
	s.Addr = "127.0.0.1:9092"
	s.Start(t)
	// Tests of a broker's list of topics stand on those that others have left.
	if err := leatproc.Run(t, "", leatproc.Build(t, "./cmd/leat"), "topic", "create", "left-by-others", "-B", s.Addr).Wait(time.Minute); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, p := range portions {
		if len(p.names) == 0 {
			continue
		}
		for i, n := range p.names {
			p.names[i] = regexp.QuoteMeta(n)
		}
		// env, because leatproc starts programs with the environment that there is.
		suiteRun := leatproc.Run(t, p.dir, "env", "KAFKA_VERSION=3.7.0", "KAFKA_SKIP_NETTEST=1",
			p.bin, "-test.v", "-test.timeout=3m", "-test.run=^("+strings.Join(p.names, "|")+")$")
		text := ""
		for line := range suiteRun.Stdout {
			text += line + "\n"
		}
		err := suiteRun.Wait(time.Minute)
		if err != nil && len(suite.Read(text).Failed) == 0 {
			t.Errorf("the suite broke off: %v\n%s", err, text[max(0, len(text)-20000):])
		}
		out.WriteString(text)
	}
	select {
	case <-s.Ended():
		t.Errorf("the broker has ended\n%s", s.Tail())
	default:
	}
	return out.String()
}
