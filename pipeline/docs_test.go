package pipeline

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/pipelines.md shows a file that is right, and names every key there is.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/pipelines.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) == 0 {
		t.Fatal("no example")
	}
	for _, b := range blocks {
		if _, err := Parse(File{Name: "docs/pipelines.md", Data: b[1]}); err != nil {
			t.Error(err)
		}
	}
	keys := append(append(slices.Clone(callKeys), joinKeys...), "of", "by", "within", "require", "late", "format", "partitions", "retention", "max_bytes", "max", "wait", "attempts", "backoff")
	for protocol, k := range modelKeys {
		keys = append(append(append(keys, string(protocol)), k.required...), k.optional...)
	}
	for _, k := range append(keys, datatypesKeys...) {
		if !strings.Contains(string(page), k) {
			t.Errorf("docs/pipelines.md does not tell of %s", k)
		}
	}
}

var datatypesKeys = []string{"datatype", "value", "shape"}
