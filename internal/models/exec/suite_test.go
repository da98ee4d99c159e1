//go:build unix

package exec

import (
	"log/slog"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/internal/models/modeltest"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// subject is the suite's over children of the given command.
func subject(t *testing.T, command []string, processes int) modeltest.Subject {
	ids := filepath.Join(t.TempDir(), "ids")
	var out log
	model := func(timeout, start time.Duration) pipeline.Model {
		cfg := config("suite")
		cfg.Command, cfg.Processes, cfg.Timeout, cfg.Start, cfg.Env["LEAT_TEST_IDS"] = command, processes, timeout, start, ids
		cfg.Logger = slog.New(slog.NewTextHandler(&out, nil))
		return newModel(t, cfg)
	}
	return modeltest.Subject{
		Model:     model(0, 0),
		Impatient: model(20*time.Millisecond, 20*time.Millisecond),
		// A child that breaks takes its call along.
		Whole: true,
		IDs: func() []string {
			b, _ := os.ReadFile(ids) // not there before the first child
			return strings.FieldsFunc(string(b), func(c rune) bool { return c == '\n' })
		},
		Secrets: []string{secret},
		Alive:   func() int { return alive(t, &out) },
		Cannot: map[string]string{
			string(modeltest.Later): "a child has no way to ask for a wait",
			string(modeltest.Short): "an answer that never comes is the time limit's check, one that is left out TestAnswersThatAreNone's",
		},
	}
}

// alive counts the started children that the system still knows, zombies too.
// A check that finds none started would prove nothing.
func alive(t *testing.T, l *log) int {
	pids := l.pids(t)
	if len(pids) == 0 {
		t.Error("no child was ever started")
	}
	return len(slices.DeleteFunc(pids, gone))
}

func TestSuite(t *testing.T) {
	for name, processes := range map[string]int{"one process": 1, "three processes": 3} {
		t.Run(name, func(t *testing.T) {
			modeltest.Run(t, func(t *testing.T) modeltest.Subject { return subject(t, []string{os.Args[0]}, processes) })
		})
	}
}

func TestSuiteInPython(t *testing.T) {
	python, err := osexec.LookPath("python3")
	if err != nil {
		t.Skip("not run: there is no python3")
	}
	script, err := filepath.Abs("testdata/child.py")
	if err != nil {
		t.Fatal(err)
	}
	modeltest.Run(t, func(t *testing.T) modeltest.Subject { return subject(t, []string{python, script}, 1) })
}

// The child that docs/models.md shows is one.
func TestThePythonOfTheDocs(t *testing.T) {
	python, err := osexec.LookPath("python3")
	if err != nil {
		t.Skip("not run: there is no python3")
	}
	script := filepath.Join(t.TempDir(), "child.py")
	code := modeltest.CodeInDocs(t, "python", "sys.stdin")
	if err := os.WriteFile(script, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := config("")
	cfg.Command = []string{python, script}
	m := newModel(t, cfg)
	results, err := m.Predict(t.Context(), []pipeline.Input{{ID: "a", Value: map[string]any{"text": "two words"}}, {ID: "b", Value: 1.0}, {ID: "c", Value: map[string]any{"text": ""}}})
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := results[0].Value.(map[string]any); !ok || v["words"] != 2.0 {
		t.Errorf("result %v, %v", results[0].Value, results[0].Err)
	}
	if worker.ClassOf(results[1].Err) != worker.Poison {
		t.Errorf("a value that is no object: %v", results[1])
	}
	if v, ok := results[2].Value.(map[string]any); !ok || v["words"] != 0.0 {
		t.Errorf("result %v, %v", results[2].Value, results[2].Err)
	}
}
