package history

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/leatdev/leat/internal/isolation"
	"github.com/leatdev/leat/test/leatproc"
)

// mistaken builds the program with one of the mistakes that the simulation plants
// (internal/mutant), by another file in the place of the one that has none.
func mistaken(t *testing.T, name string) (bin string) {
	t.Helper()
	root, dir := leatproc.Root(t), t.TempDir()
	with := filepath.Join(dir, "off.go")
	text := fmt.Sprintf("package mutant\n\nfunc On(name string) bool { return name == %q }\n", name)
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "internal", "mutant", "off.go"): with}})
	if err == nil {
		err = os.WriteFile(with, []byte(text), 0o644)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	bin = filepath.Join(dir, "leat")
	build := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", bin, "./cmd/leat")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// TestTransactionsBite has the clients meet a broker that forgets an aborted transaction
// in its answers: they find it.
func TestTransactionsBite(t *testing.T) {
	t.Parallel()
	s := leatproc.Of(t, mistaken(t, "abort-forgotten"), t.TempDir(), "-c", "group.min.session.timeout.ms=1000", "-c", "group.initial.rebalance.delay.ms=0")
	s.Start(t)
	w := startTransactions(t, s.Addr, false)
	w.until(t, 300, 0)
	w.finish(t)
	r := Analyse(w.rec.ops, true, false)
	t.Log(r)
	found := map[Anomaly]int{}
	for _, f := range r.Findings {
		found[f.Anomaly]++
	}
	for _, want := range []Anomaly{FailedRead, Anomaly(isolation.G1a)} {
		if found[want] == 0 {
			t.Errorf("%s is not found: %v", want, found)
		}
	}
}
