package ported

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/test/leatproc"
	"github.com/leatdev/leat/test/suite"
)

func TestMain(m *testing.M) { leatproc.Main(m) }

// TestKafkaTests compiles the tests with the cluster of this package in the
// place of kfake's and runs them.
func TestKafkaTests(t *testing.T) {
	want, err := Expected()
	if err != nil {
		t.Fatal(err)
	}
	used, err := exec.Command("go", "-C", leatproc.Root(t), "list", "-m", "-f", "{{.Version}}", Module).Output()
	if err != nil || strings.TrimSpace(string(used)) != want.Version {
		t.Errorf("Leat uses kfake %s (%v), suite.txt is about %s: run the tests of the one in use", used, err, want.Version)
	}
	bin := suite.Compile(t, assemble(t, suite.Source(t, Module, want.Version)))
	skip, err := want.Skip()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("LEAT_PORTED_PROGRAM", leatproc.Build(t, "./cmd/leat"))
	keep := filepath.Join(os.TempDir(), "leat-ported-failed.log")
	t.Setenv("TMPDIR", t.TempDir()) // what the brokers leave there goes with it
	p := leatproc.Run(t, "", bin, "-test.v", "-test.timeout=4m", "-test.parallel=4", "-test.skip="+skip)
	var out strings.Builder
	for line := range p.Stdout {
		out.WriteString(line + "\n")
	}
	ended := p.Wait(time.Minute)
	results := suite.Read(out.String())
	if ended != nil && len(results.Failed) == 0 {
		t.Fatalf("the tests broke off: %v", ended)
	}
	if want.Check(t, results); t.Failed() {
		suite.Keep(t, keep, out.String()+p.Tail())
	}
}

// assemble makes a module of kfake's name out of the package kfake beside this
// file and of the tests as they are, and returns the tests' folder.
func assemble(t *testing.T, source string) string {
	t.Helper()
	root := t.TempDir()
	copyAll := func(to string, patterns ...string) {
		t.Helper()
		var files []string
		for _, p := range patterns {
			some, err := filepath.Glob(p)
			if err != nil || len(some) == 0 {
				t.Fatalf("no file is like %s: %v", p, err)
			}
			files = append(files, some...)
		}
		if err := os.MkdirAll(to, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err == nil {
				err = os.WriteFile(filepath.Join(to, filepath.Base(f)), text, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	copyAll(root, "kfake/*.go", "../go.sum")
	tests := filepath.Join(root, "kafka_tests")
	copyAll(tests, filepath.Join(source, "kafka_tests", "*.go"))

	// The versions of what it imports are those of the module around this package.
	text := "module " + Module + "\n\ngo 1.26.0\n\n"
	for _, m := range []string{"github.com/twmb/franz-go", "github.com/twmb/franz-go/pkg/kadm", "github.com/twmb/franz-go/pkg/kmsg",
		"github.com/klauspost/compress", "github.com/pierrec/lz4/v4"} {
		version, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", m).Output()
		if err != nil {
			t.Fatalf("which version of %s: %v", m, err)
		}
		text += "require " + m + " " + string(version)
	}
	if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return tests
}
