package modeltest

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Docs returns docs/models.md, for tests that hold it to what the code does.
func Docs(t *testing.T) string {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(file), "../../../docs/models.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// InDocs checks that docs/models.md shows text as it is.
func InDocs(t *testing.T, text string) {
	t.Helper()
	if !strings.Contains(Docs(t), text) {
		t.Errorf("docs/models.md does not show %s", text)
	}
}

// CodeInDocs returns the one code block of a language that contains mark.
func CodeInDocs(t *testing.T, language, mark string) string {
	t.Helper()
	var found []string
	for i, part := range strings.Split(Docs(t), "```") {
		if code, ok := strings.CutPrefix(part, language+"\n"); ok && i%2 == 1 && strings.Contains(code, mark) {
			found = append(found, code)
		}
	}
	if len(found) != 1 {
		t.Fatalf("docs/models.md has %d %s blocks with %q, want 1", len(found), language, mark)
	}
	return found[0]
}
