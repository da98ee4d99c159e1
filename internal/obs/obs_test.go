package obs

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestLoggerText(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	l, err := NewLogger(&b, "text", "info")
	if err != nil {
		t.Fatal(err)
	}
	l.Debug("hidden")
	l.Info("ready", "addr", "127.0.0.1:9092")
	want := regexp.MustCompile(`^time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d) level=INFO msg=ready addr=127\.0\.0\.1:9092\n$`)
	if !want.MatchString(b.String()) {
		t.Errorf("logged %q", b.String())
	}
}

func TestLoggerJSON(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	l, err := NewLogger(&b, "json", "debug")
	if err != nil {
		t.Fatal(err)
	}
	l.Debug("x", "n", 3)
	var line map[string]any
	if err := json.Unmarshal([]byte(b.String()), &line); err != nil {
		t.Fatal(err)
	}
	if line["msg"] != "x" || line["n"] != 3.0 || line["level"] != "DEBUG" {
		t.Errorf("logged %v", line)
	}
}

func TestLoggerRefuses(t *testing.T) {
	t.Parallel()
	if _, err := NewLogger(nil, "xml", "info"); err == nil || !strings.Contains(err.Error(), "text, json") {
		t.Errorf("format: %v", err)
	}
	if _, err := NewLogger(nil, "text", "loud"); err == nil || !strings.Contains(err.Error(), "debug, info, warn, error") {
		t.Errorf("level: %v", err)
	}
}

func TestRegistryTellsTheBuild(t *testing.T) {
	t.Parallel()
	want := `
# HELP leat_build_info 1; the version of the program is the label.
# TYPE leat_build_info gauge
leat_build_info{version="v1.2.3"} 1
`
	if err := testutil.GatherAndCompare(NewRegistry("v1.2.3"), strings.NewReader(want), "leat_build_info"); err != nil {
		t.Error(err)
	}
	NewRegistry("again") // a second one in the same process does not collide
}
