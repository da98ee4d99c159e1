package lint

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

const (
	// maxLines is how long a Go file may be; longer, and it holds two things.
	maxLines = 600
	// maxMainLines is how long main.go may be: a table of contents.
	maxMainLines = 40
)

// tooLong finds files that are longer than they may be. There is no allow-list.
func tooLong(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		limit := maxLines
		if f.path == "cmd/leat/main.go" {
			limit = maxMainLines
		}
		if n := strings.Count(f.src, "\n"); n > limit {
			found = append(found, finding{f.path, 0, fmt.Sprintf("%d lines, at most %d: split it by what is in it", n, limit)})
		}
	}
	return found
}

// inits finds init functions: what a package needs is passed to it, in an order
// that can be read.
func inits(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				found = append(found, finding{f.path, t.line(fn), "init(): construct it explicitly"})
			}
		}
	}
	return found
}

// marks are notes of work left undone. They are put together here so that this
// file does not hold them.
var marks = []string{"TO" + "DO", "FIX" + "ME", "XX" + "X"}

// leftovers finds notes of work left undone, in comments and texts.
func leftovers(t *tree) []finding {
	var found []finding
	look := func(name string, line int, text string) {
		for i, l := range strings.Split(text, "\n") {
			for _, m := range marks {
				if slices.Contains(strings.FieldsFunc(l, notWord), m) {
					found = append(found, finding{name, line + i, m + ": do it, or say in docs what is not there and why"})
				}
			}
		}
	}
	for _, f := range t.files {
		for _, g := range f.ast.Comments {
			for _, c := range g.List {
				look(f.path, t.line(c), c.Text)
			}
		}
	}
	for name, text := range t.texts {
		look(name, 1, text)
	}
	return found
}

func notWord(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_')
}

// mayTouchFiles are the rooms that call the file system themselves, with the
// reason. Everything else goes through internal/vfs, so that a test can take
// the disk away, fill it or cut the power.
var mayTouchFiles = map[string]string{
	"internal/vfs":              "it is the disk's one door",
	"internal/cli":              "asks whether standard output is a terminal",
	"internal/load":             "reads /proc of the process that it measures",
	"internal/trim":             "reads /proc of its own process",
	"internal/lint":             "reads the sources",
	"internal/story":            "reads and writes the stories of tests",
	"internal/models/exec":      "starts child processes",
	"internal/models/modeltest": "reads the document whose example it tests",
	"cmd":                       "reads files that the user names, makes the demo's temporary directory",
	"examples":                  "programs of users",
	"internal/flow":             "reads pipeline files that the user names",
	"pipeline":                  "reads pipeline files that the user names",
}

// fileCalls are the functions of package os that reach the file system.
var fileCalls = []string{"Open", "OpenFile", "OpenRoot", "OpenInRoot", "Create", "CreateTemp", "Rename", "Remove", "RemoveAll",
	"Mkdir", "MkdirAll", "MkdirTemp", "ReadFile", "WriteFile", "ReadDir", "Stat", "Lstat", "Truncate", "Link", "Symlink",
	"Chmod", "Chtimes", "CopyFS", "DirFS", "NewFile"}

// files finds calls that go around internal/vfs.
func files(t *tree) []finding {
	return calls(t, func(f *file) bool {
		for room := range mayTouchFiles {
			if within(f.room(), room) {
				return false
			}
		}
		return !f.test() && !f.nested
	}, "os", fileCalls, "file calls go through internal/vfs")
}

// pure finds what coordinators must not own: goroutine, clock, socket, file.
func pure(t *tree) []finding {
	coordinator := func(f *file) bool { return in(f.room(), coordinators) && !f.test() }
	const why = "a coordinator is pure: events and time go in, effects come out"
	found := calls(t, coordinator, "time", []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"}, why)
	for _, f := range t.files {
		if !coordinator(f) {
			continue
		}
		for _, p := range f.imports() {
			if slices.Contains([]string{"net", "os", "sync", "sync/atomic", "net/http", "math/rand", "math/rand/v2", "crypto/rand"}, p) {
				found = append(found, finding{f.path, 0, fmt.Sprintf("imports %s: %s", p, why)})
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				found = append(found, finding{f.path, t.line(g), "go statement: " + why})
			}
			return true
		})
	}
	return found
}

// calls finds uses of functions of a standard package in the files that where picks.
func calls(t *tree, where func(*file) bool, pkg string, names []string, why string) []finding {
	var found []finding
	for _, f := range t.files {
		if !where(f) {
			continue
		}
		local := localName(f, pkg)
		if local == "" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok && x.Name == local && slices.Contains(names, s.Sel.Name) {
				found = append(found, finding{f.path, t.line(s), fmt.Sprintf("%s.%s: %s", pkg, s.Sel.Name, why)})
			}
			return true
		})
	}
	return found
}

// localName is the name by which f knows the package; "" if it does not.
func localName(f *file, pkg string) string {
	for _, s := range f.ast.Imports {
		if s.Path.Value == `"`+pkg+`"` {
			if s.Name != nil {
				return s.Name.Name
			}
			return path.Base(pkg)
		}
	}
	return ""
}
