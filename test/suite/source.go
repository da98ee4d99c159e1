package suite

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// Compile builds the tests of the package in dir and returns the program. The
// module cache is read-only, and some go.mod in it is not as today's Go wants it:
// what Go has to add goes to copies of go.mod and go.sum.
func Compile(t testing.TB, dir string) string {
	t.Helper()
	scratch := t.TempDir()
	env := append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	where := exec.Command("go", "env", "GOMOD")
	where.Dir, where.Env = dir, env
	mod, err := where.Output()
	if err != nil {
		t.Fatalf("which module %s belongs to: %v", dir, err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(strings.TrimSpace(string(mod))), name))
		if err == nil {
			err = os.WriteFile(filepath.Join(scratch, name), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	bin := filepath.Join(scratch, "suite.test")
	cmd := exec.Command("go", "test", "-c", "-mod=mod", "-modfile="+filepath.Join(scratch, "go.mod"), "-o", bin, ".")
	cmd.Dir, cmd.Env = dir, env
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
