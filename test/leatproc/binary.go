package leatproc

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Root is the repository's root, seen from the tests' packages.
func Root(t testing.TB) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err == nil {
		_, err = os.Stat(filepath.Join(root, "cmd", "leat"))
	}
	if err != nil {
		t.Fatalf("the repository is not two folders up: %v", err)
	}
	return root
}

var (
	scratch   string // made by the first build, removed by Main
	scratchMu sync.Mutex
	builds    = map[string]func() (string, error){}
)

// Build compiles a command of the repository, once per test process, and returns
// the path of the program. LEAT_BIN, if set, is a built cmd/leat to use instead.
func Build(t testing.TB, pkg string) string {
	t.Helper()
	if bin := os.Getenv("LEAT_BIN"); bin != "" && pkg == "./cmd/leat" {
		return bin
	}
	root := Root(t)
	scratchMu.Lock()
	once, ok := builds[pkg]
	if !ok {
		once = sync.OnceValues(func() (string, error) { return build(root, pkg) })
		builds[pkg] = once
	}
	scratchMu.Unlock()
	bin, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

func build(root, pkg string) (string, error) {
	scratchMu.Lock()
	if scratch == "" {
		dir, err := os.MkdirTemp("", "leat-test-bin")
		if err != nil {
			scratchMu.Unlock()
			return "", err
		}
		scratch = dir
	}
	bin := filepath.Join(scratch, filepath.Base(pkg))
	scratchMu.Unlock()
	cmd := exec.Command("go", "build", "-o", bin, pkg)
	cmd.Dir = root
	if ours, ok := strings.CutPrefix(pkg, "./test/"); ok { // a program of the tests' own module
		cmd = exec.Command("go", "build", "-o", bin, "./"+ours)
		cmd.Dir = filepath.Join(root, "test")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s does not build: %w\n%s", pkg, err, out)
	}
	return bin, nil
}

// Main runs the tests of a package and removes what Build made. Call it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if scratch != "" {
		_ = os.RemoveAll(scratch)
	}
	os.Exit(code)
}

// Missing says that this machine lacks what a test needs: a skip that names it,
// or a failure where LEAT_REQUIRE is set, as in CI.
func Missing(t testing.TB, what string, err error) {
	t.Helper()
	if os.Getenv("LEAT_REQUIRE") != "" {
		t.Fatalf("missing here: %s: %v", what, err)
	}
	t.Skipf("not run, missing here: %s: %v", what, err)
}
