package lint

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// rules is every rule; testdata/<name>.txt plants its faults.
var rules = map[string]func(*tree) []finding{
	"walls":            walls,
	"too_long":         tooLong,
	"sleeps":           sleeps,
	"inits":            inits,
	"leftovers":        leftovers,
	"files":            files,
	"pure":             pure,
	"scheduled":        scheduled,
	"package_comments": packageComments,
	"exported_docs":    exportedDocs,
	"machine_paths":    machinePaths,
	"dependencies":     dependencies,
	"folder_map":       folderMap,
	"document_links":   documentLinks,
}

func TestHouse(t *testing.T) {
	t.Parallel()
	tr, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.files) < 10 || tr.texts["go.mod"] == "" {
		t.Fatalf("this is not the repository: %d files", len(tr.files))
	}
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, f := range rule(tr) {
				t.Error(f)
			}
		})
	}
}

// Each rule finds the faults planted in its tree, and nothing else there.
func TestRulesBite(t *testing.T) {
	t.Parallel()
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr, want := planted(t, filepath.Join("testdata", name+".txt"))
			var got []string
			for _, f := range rule(tr) {
				got = append(got, f.String())
			}
			slices.Sort(got)
			slices.Sort(want)
			if len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("found\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
			}
		})
	}
}

// planted reads a tree from one file: the findings it must lead to, one a line,
// then files, each after a line "-- path --". A line ":repeat N TEXT" stands for
// N lines.
func planted(t *testing.T, name string) (*tree, []string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(b), "-- ")
	fsys := fstest.MapFS{}
	for _, part := range strings.Split("\n"+"-- "+rest, "\n-- ")[1:] {
		path, body, ok := strings.Cut(part, " --\n")
		if !ok {
			t.Fatalf("%s: no file name in %q", name, part)
		}
		fsys[path] = &fstest.MapFile{Data: []byte(expand(body) + "\n")}
	}
	tr, err := load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return tr, strings.Split(strings.TrimSpace(head), "\n")
}

func expand(body string) string {
	var out []string
	for _, l := range strings.Split(strings.TrimSuffix(body, "\n"), "\n") {
		n := 1
		if rest, ok := strings.CutPrefix(l, ":repeat "); ok {
			number, text, _ := strings.Cut(rest, " ")
			for n = 0; number != ""; number = number[1:] {
				n = n*10 + int(number[0]-'0')
			}
			l = text
		}
		out = append(out, slices.Repeat([]string{l}, n)...)
	}
	return strings.Join(out, "\n")
}

// Every room of the tables exists or is yet to be built by the design; a room
// that lies on no floor would be held to nothing.
func TestEveryRoomHasAFloor(t *testing.T) {
	t.Parallel()
	tr, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	floors := concat(words, ground, disk, coordinators, broker, care, features, tools, doors, assembler, program,
		[]string{"internal/cli", "internal/load"}) // tools of the program
	for _, f := range tr.files {
		if !f.nested && f.room() != "." && !in(f.room(), floors) {
			t.Errorf("%s lies on no floor: give its room a place in arrows.go and in docs/ARCHITECTURE.md", f.path)
		}
	}
}
