package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// module is the path that every package of ours begins with.
const module = "github.com/leatdev/leat"

// tree is a repository: its Go files, parsed, and its other texts.
type tree struct {
	files []*file
	texts map[string]string // by path: Markdown, shell, YAML, Python, go.mod
	fset  *token.FileSet
}

// file is one Go file.
type file struct {
	path string // from the root of the repository
	src  string
	ast  *ast.File
	// nested is true in the modules under test/ and bench/, which have a go.mod
	// of their own.
	nested bool
}

func (f *file) room() string { return path.Dir(f.path) }
func (f *file) test() bool   { return strings.HasSuffix(f.path, "_test.go") }

// imports returns the import paths.
func (f *file) imports() []string {
	var out []string
	for _, s := range f.ast.Imports {
		if p, err := strconv.Unquote(s.Path.Value); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// rooms returns the folders of ours that f imports; "." is the root.
func (f *file) rooms() []string {
	var out []string
	for _, p := range f.imports() {
		if p == module {
			out = append(out, ".")
		} else if rest, ok := strings.CutPrefix(p, module+"/"); ok {
			out = append(out, rest)
		}
	}
	return out
}

// load reads the repository at the root of fsys.
func load(fsys fs.FS) (*tree, error) {
	t := &tree{texts: map[string]string{}, fset: token.NewFileSet()}
	var nested []string
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name != "." && (base == "testdata" || base == "node_modules" || strings.HasPrefix(base, "_") || strings.HasPrefix(base, ".") && base != ".ci") {
				return fs.SkipDir
			}
			return nil
		}
		if name != "go.mod" && d.Name() == "go.mod" {
			nested = append(nested, path.Dir(name))
		}
		return t.read(fsys, name)
	})
	for _, f := range t.files {
		f.nested = slices.ContainsFunc(nested, func(dir string) bool { return within(f.room(), dir) })
	}
	return t, err
}

func (t *tree) read(fsys fs.FS, name string) error {
	ext := path.Ext(name)
	if !slices.Contains([]string{".go", ".md", ".sh", ".yaml", ".yml", ".py", ".mod"}, ext) && !strings.HasPrefix(name, ".ci/") {
		return nil
	}
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	if ext != ".go" {
		t.texts[name] = string(b)
		return nil
	}
	f, err := parser.ParseFile(t.fset, name, b, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("parse: %w", err)
	}
	t.files = append(t.files, &file{path: name, src: string(b), ast: f})
	return nil
}

// line returns where in its file n stands.
func (t *tree) line(n ast.Node) int { return t.fset.Position(n.Pos()).Line }

// within tells whether room is dir or lies under it.
func within(room, dir string) bool { return room == dir || strings.HasPrefix(room, dir+"/") }

// finding is one breach of a rule.
type finding struct {
	path string
	line int // 0: the file as a whole
	what string
}

func (f finding) String() string {
	if f.line == 0 {
		return f.path + ": " + f.what
	}
	return fmt.Sprintf("%s:%d: %s", f.path, f.line, f.what)
}
