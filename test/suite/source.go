package suite

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Source is the folder in the module cache where a module's sources lie.
func Source(t testing.TB, module, version string) string {
	t.Helper()
	out, err := exec.Command("go", "mod", "download", "-json", module+"@"+version).Output()
	var m struct{ Dir, Error string }
	if e := json.Unmarshal(out, &m); e != nil || m.Dir == "" {
		t.Fatalf("%s %s is not to be had: %v %v %s", module, version, err, e, m.Error)
	}
	return m.Dir
}

// Compile builds the tests of the package in dir and returns the program.
func Compile(t testing.TB, dir string, flags ...string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "suite.test")
	cmd := exec.Command("go", append(append([]string{"test", "-c", "-o", bin}, flags...), ".")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the suite in %s does not compile: %v\n%s", dir, err, out)
	}
	return bin
}

// Keep writes a run's output to a file that outlives the test, in a folder that
// outlives it, and says where.
func Keep(t testing.TB, path, out string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(out), 0o644); err != nil {
		t.Logf("the output cannot be kept: %v", err)
		return
	}
	t.Logf("the whole output is in %s", path)
}
