package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
)

// packageComments finds packages that do not say what they are for.
func packageComments(t *tree) []finding {
	has := map[string]bool{}
	var rooms []string
	for _, f := range t.files {
		if f.test() || f.nested {
			continue
		}
		if !slices.Contains(rooms, f.room()) {
			rooms = append(rooms, f.room())
		}
		if f.ast.Doc != nil {
			has[f.room()] = true
		}
	}
	var found []finding
	for _, r := range rooms {
		if !has[r] {
			found = append(found, finding{r, 0, "no package comment: say what the package is for, in doc.go or its main file"})
		}
	}
	return found
}

// public are the rooms that programs outside the repository import.
var public = []string{".", "event", "worker", "streams", "pipeline"}

// exportedDocs finds exported things of public packages without a comment.
func exportedDocs(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		if f.test() || f.nested || !slices.Contains(public, f.room()) {
			continue
		}
		missing := func(n ast.Node, name string, doc *ast.CommentGroup) {
			if ast.IsExported(name) && doc == nil {
				found = append(found, finding{f.path, t.line(n), fmt.Sprintf("%s is exported and has no comment", name)})
			}
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil || receiverExported(d.Recv) && !wellKnown[d.Name.Name] {
					missing(d, d.Name.Name, d.Doc)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						missing(s, s.Name.Name, firstDoc(s.Doc, d.Doc))
					case *ast.ValueSpec:
						if !enumeration(d) {
							missing(s, s.Names[0].Name, firstDoc(s.Doc, s.Comment, d.Doc))
						}
					}
				}
			}
		}
	}
	return found
}

// enumeration tells whether a const block lists the values of an exported type:
// the type's comment then speaks for those whose names say enough.
func enumeration(d *ast.GenDecl) bool {
	if d.Tok != token.CONST || !d.Lparen.IsValid() || len(d.Specs) == 0 {
		return false
	}
	first, ok := d.Specs[0].(*ast.ValueSpec)
	if !ok {
		return false
	}
	typ, ok := first.Type.(*ast.Ident)
	return ok && typ.IsExported()
}

// wellKnown are methods whose meaning an interface of the standard library gives.
var wellKnown = map[string]bool{"Error": true, "Unwrap": true, "String": true, "Is": true, "As": true,
	"MarshalJSON": true, "UnmarshalJSON": true, "MarshalText": true, "UnmarshalText": true, "UnmarshalYAML": true, "Len": true, "Less": true, "Swap": true}

func receiverExported(r *ast.FieldList) bool {
	x := r.List[0].Type
	for {
		switch v := x.(type) {
		case *ast.StarExpr:
			x = v.X
		case *ast.IndexExpr:
			x = v.X
		case *ast.Ident:
			return v.IsExported()
		default:
			return false
		}
	}
}

func firstDoc(docs ...*ast.CommentGroup) *ast.CommentGroup {
	for _, d := range docs {
		if d != nil {
			return d
		}
	}
	return nil
}

// machinePath is a path that exists on somebody's machine only.
var machinePath = regexp.MustCompile(`(/home/[a-z]|/root/|/Users/[A-Za-z]|[A-Z]:\\Users)`)

// machinePaths finds such paths in documents and scripts.
func machinePaths(t *tree) []finding {
	var found []finding
	for name, text := range t.texts {
		for i, l := range strings.Split(text, "\n") {
			if m := machinePath.FindString(l); m != "" {
				found = append(found, finding{name, i + 1, fmt.Sprintf("%q is a path of one machine: write it relative to the repository, or as $HOME", m)})
			}
		}
	}
	return found
}

const architecture = "docs/ARCHITECTURE.md"

// mapped is a line of the map in the architecture document: a folder at the
// start of the line, or indented under internal/.
var mapped = regexp.MustCompile(`(?m)^(  )?([a-z_]+(?:/[a-z_]+)*)/\s`)

// folderMap compares the map with the folders: what is on it exists, and every
// room of the house is on it.
func folderMap(t *tree) []finding {
	rooms := map[string]bool{}
	for _, f := range t.files {
		for dir := f.room(); dir != "." && !f.nested; dir = path.Dir(dir) {
			rooms[dir] = true
		}
	}
	var found []finding
	on := map[string]bool{}
	for _, m := range mapped.FindAllStringSubmatch(t.texts[architecture], -1) {
		dir := m[2]
		if m[1] != "" {
			dir = "internal/" + dir
		}
		on[dir] = true
		if !rooms[dir] && !slices.Contains([]string{"docs", "test", "bench"}, dir) {
			found = append(found, finding{architecture, 0, dir + "/ is on the map and not in the tree"})
		}
	}
	for dir := range rooms {
		depth := strings.Count(dir, "/")
		nested := strings.HasPrefix(dir, "internal/") || strings.HasPrefix(dir, "cmd/") || strings.HasPrefix(dir, "examples/")
		isRoom := depth == 0 && dir != "cmd" && dir != "examples" || depth == 1 && nested
		if isRoom && !on[dir] {
			found = append(found, finding{architecture, 0, dir + "/ is not on the map"})
		}
	}
	return found
}

// documentName is a document as texts and comments name it.
var documentName = regexp.MustCompile(`\bdocs/[A-Za-z0-9_./-]+\.md\b`)

// documentLinks finds names of documents that are not there.
func documentLinks(t *tree) []finding {
	var found []finding
	look := func(name string, line int, text string) {
		for i, l := range strings.Split(text, "\n") {
			for _, doc := range documentName.FindAllString(l, -1) {
				if _, ok := t.texts[doc]; !ok {
					found = append(found, finding{name, line + i, doc + " does not exist"})
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

const dependencyList = "docs/decisions/dependencies.md"

// listed is a line of the list: - `module`: why it is there.
var listed = regexp.MustCompile("(?m)^- `([^`]+)`: \\S")

// required is a line of go.mod's require blocks.
var required = regexp.MustCompile(`(?m)^\s*(?:require\s+)?([a-z0-9.-]+\.[a-z]+/\S+)\s+v\S+`)

// dependencies compares the modules that packages of ours import with the list,
// and the list with go.mod.
func dependencies(t *tree) []finding {
	var modules, reasons []string
	for _, m := range required.FindAllStringSubmatch(t.texts["go.mod"], -1) {
		modules = append(modules, m[1])
	}
	for _, m := range listed.FindAllStringSubmatch(t.texts[dependencyList], -1) {
		reasons = append(reasons, m[1])
	}
	var found []finding
	seen := map[string]bool{}
	for _, f := range t.files {
		if f.nested {
			continue
		}
		for _, p := range f.imports() {
			m := moduleOf(p, modules)
			if m == "" || seen[m] {
				continue
			}
			seen[m] = true
			if !slices.Contains(reasons, m) {
				found = append(found, finding{f.path, 0, fmt.Sprintf("imports %s, which %s does not give a reason for", m, dependencyList)})
			}
		}
	}
	for _, m := range reasons {
		if !slices.Contains(modules, m) {
			found = append(found, finding{dependencyList, 0, fmt.Sprintf("lists %s, which go.mod does not require", m)})
		}
	}
	return found
}

// moduleOf is the longest of modules that the import path lies in.
func moduleOf(importPath string, modules []string) string {
	best := ""
	for _, m := range modules {
		if within(importPath, m) && len(m) > len(best) {
			best = m
		}
	}
	return best
}
