package pipeline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// reader walks the nodes of one file and gathers what is wrong with them. All
// its methods answer with a zero value after noting a problem, so that one walk
// finds all mistakes.
type reader struct {
	file     string
	problems *Problems
}

func (r *reader) pos(n *yaml.Node) Pos { return Pos{r.file, n.Line, n.Column} }

func (r *reader) addf(n *yaml.Node, format string, args ...any) {
	r.problems.addf(r.pos(n), format, args...)
}

// follow returns what an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// entry is one key of a mapping.
type entry struct {
	key, value *yaml.Node
	name       string
}

// fields returns the entries of a mapping in the order of the file. What is no
// mapping, and keys that repeat, are problems.
func (r *reader) fields(n *yaml.Node, what string) []entry {
	n = follow(n)
	if n.Kind != yaml.MappingNode {
		r.addf(n, "%s must be a mapping, not %s", what, nodeKind(n))
		return nil
	}
	var out []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			r.addf(k, "a key of %s must be a name, not %s", what, nodeKind(k))
			continue
		}
		if slices.ContainsFunc(out, func(e entry) bool { return e.name == k.Value }) {
			r.addf(k, "%s has the key %s twice", what, quote(k.Value))
			continue
		}
		out = append(out, entry{key: k, value: v, name: k.Value})
	}
	return out
}

// keys hands each entry of a mapping to the function of its name. Other names
// are problems.
func (r *reader) keys(n *yaml.Node, what string, known map[string]func(*yaml.Node)) {
	for _, e := range r.fields(n, what) {
		if fn, ok := known[e.name]; ok {
			fn(e.value)
			continue
		}
		names := make([]string, 0, len(known))
		for k := range known {
			names = append(names, k)
		}
		r.addf(e.key, "unknown key %s in %s%s", quote(e.name), what, meant(e.name, names))
	}
}

// text reads a string. YAML's own reading of 3 or true as something else is
// overruled only where a string is meant and quotes are all that is missing.
func (r *reader) text(n *yaml.Node, what string) string {
	n = follow(n)
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		r.addf(n, "%s must be a text, not %s", what, nodeKind(n))
		return ""
	}
	if n.Tag != "!!str" && n.Tag != "!!timestamp" {
		r.addf(n, "%s must be a text: put %s in quotes", what, n.Value)
		return ""
	}
	if strings.TrimSpace(n.Value) == "" {
		r.addf(n, "%s is empty", what)
	}
	return n.Value
}

// plainText is text in which ${env:NAME} has no meaning.
func (r *reader) plainText(n *yaml.Node, what string) string {
	s := r.text(n, what)
	if strings.Contains(s, "${env:") {
		r.addf(n, "%s cannot refer to ${env:...}: only a model's url, headers, env and command can", what)
		return ""
	}
	return s
}

// secretText is text that may refer to ${env:NAME}.
func (r *reader) secretText(n *yaml.Node, what string) Text {
	t := Text{Pos: r.pos(follow(n)), raw: r.text(n, what)}
	if err := t.check(); err != nil {
		r.addf(follow(n), "%s: %v", what, err)
		return Text{}
	}
	return t
}

func (r *reader) texts(n *yaml.Node, what string) []string {
	n = follow(n)
	if n.Kind != yaml.SequenceNode {
		return one(r.plainText(n, what))
	}
	var out []string
	for _, c := range n.Content {
		s := r.plainText(c, what)
		if s != "" && slices.Contains(out, s) {
			r.addf(c, "%s names %s twice", what, quote(s))
			continue
		}
		out = append(out, one(s)...)
	}
	if len(n.Content) == 0 {
		r.addf(n, "%s is empty", what)
	}
	return out
}

func one(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func (r *reader) secretTexts(n *yaml.Node, what string) map[string]Text {
	out := map[string]Text{}
	for _, e := range r.fields(n, what) {
		out[e.name] = r.secretText(e.value, what+" "+e.name)
	}
	return out
}

// integer reads a whole number of at least lo and at most hi.
func (r *reader) integer(n *yaml.Node, what string, lo, hi int64) int64 {
	n = follow(n)
	v, err := strconv.ParseInt(n.Value, 10, 64)
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil {
		r.addf(n, "%s must be a whole number, not %s", what, nodeKind(n))
		return 0
	}
	if v < lo || v > hi {
		r.addf(n, "%s must be from %d to %d, not %d", what, lo, hi, v)
		return 0
	}
	return v
}

func (r *reader) duration(n *yaml.Node, what string) time.Duration {
	n = follow(n)
	if n.Kind != yaml.ScalarNode {
		r.addf(n, "%s must be a duration like 500ms, 30s, 2h or 7d, not %s", what, nodeKind(n))
		return 0
	}
	d, err := parseDuration(n.Value)
	if err != nil {
		r.addf(n, "%s: %v", what, err)
	}
	return d
}

// positive is a duration of more than zero.
func (r *reader) positive(n *yaml.Node, what string) time.Duration {
	before := len(*r.problems)
	d := r.duration(n, what)
	if d == 0 && len(*r.problems) == before {
		r.addf(follow(n), "%s must be more than zero", what)
	}
	return d
}

// oneOf reads one of some words.
func (r *reader) oneOf(n *yaml.Node, what string, words ...string) string {
	before := len(*r.problems)
	s := r.text(n, what)
	if len(*r.problems) > before || slices.Contains(words, s) {
		return s
	}
	r.addf(follow(n), "%s cannot be %s%s", what, quote(s), meant(s, words))
	return ""
}

// expr compiles an expression; env is an Env, OutputEnv or TensorEnv.
func (r *reader) expr(n *yaml.Node, what string, env any, condition bool) *Expr {
	before := len(*r.problems)
	source := r.plainText(n, what)
	if len(*r.problems) > before {
		return nil
	}
	n = follow(n)
	program, err := compile(source, env, condition)
	if err != nil {
		text, line, col := compileError(err, env)
		r.problems.addf(r.inside(n, line, col), "%s: %s", what, text)
		return nil
	}
	return &Expr{Pos: r.pos(n), source: source, program: program}
}

// inside is the place of a character of a scalar's value. It is exact for
// values on one line without escapes, and else the place where the value begins.
func (r *reader) inside(n *yaml.Node, line, col int) Pos {
	p := r.pos(n)
	switch n.Style {
	case 0:
		if line == 1 && !strings.Contains(n.Value, "\n") {
			p.Col += col
		}
	case yaml.SingleQuotedStyle, yaml.DoubleQuotedStyle:
		if line == 1 && !strings.ContainsAny(n.Value, "'\"\\\n") {
			p.Col += col + 1
		} else if line == 1 && n.Style == yaml.SingleQuotedStyle && !strings.Contains(n.Value, "'") {
			p.Col += col + 1
		}
	}
	return p
}

func nodeKind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.Tag == "!!null" {
		return "nothing"
	}
	return quote(clip(n.Value))
}

func clip(s string) string {
	if utf8.RuneCountInString(s) <= 60 {
		return s
	}
	return string([]rune(s)[:60]) + "…"
}

// isName reports whether s has 1 to most letters, digits and characters of extra. It
// is no regular expression: one with such counts takes longer to compile than the rest of
// the program to start.
func isName(s, extra string, most int) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(extra, c) >= 0:
		default:
			return false
		}
	}
	return 0 < len(s) && len(s) <= most
}

func checkTopicName(s string) error {
	if !isName(s, "._-", 249) || s == "." || s == ".." {
		return fmt.Errorf("%s is not a topic name: use letters, digits, `.`, `_` and `-`, at most 249 of them", quote(clip(s)))
	}
	return nil
}

func (r *reader) topic(n *yaml.Node, what string) string {
	s := r.plainText(n, what)
	if s == "" {
		return ""
	}
	if err := checkTopicName(s); err != nil {
		r.addf(follow(n), "%s: %v", what, err)
		return ""
	}
	return s
}

// shortName checks the name of a pipeline, step, model or branch: names are
// joined with dots to make groups and topics, so they have none themselves.
func (r *reader) shortName(n *yaml.Node, what string) string {
	if !isName(n.Value, "_-", 80) || strings.IndexByte("_-", n.Value[0]) >= 0 {
		r.addf(n, "%s is not a name for %s: use letters, digits, `_` and `-`, at most 80 of them", quote(clip(n.Value)), what)
		return ""
	}
	return n.Value
}
