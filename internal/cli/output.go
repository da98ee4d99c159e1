package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v3"
)

// Formats are the values of -o.
var Formats = []string{"text", "wide", "json", "yaml"}

// Output writes what a command found, in the format that was asked for.
type Output struct {
	Format string // one of Formats
	W      io.Writer
}

// Check refuses a format that does not exist.
func (o Output) Check() error {
	if slices.Contains(Formats, o.Format) {
		return nil
	}
	return Usagef("-o %s: want one of %s", o.Format, strings.Join(Formats, ", "))
}

// Machine tells whether the output is for programs (JSON or YAML).
func (o Output) Machine() bool { return o.Format == "json" || o.Format == "yaml" }

// Wide tells whether text may have more columns.
func (o Output) Wide() bool { return o.Format == "wide" }

// Write writes v as JSON or YAML if one of them was asked for; else it calls
// text. v is a struct or slice with json tags.
func (o Output) Write(v any, text func(w io.Writer) error) error {
	switch o.Format {
	case "json":
		b, err := marshal(v, "  ")
		if err != nil {
			return err
		}
		_, err = o.W.Write(b)
		return err
	case "yaml":
		return writeYAML(o.W, v)
	}
	return text(o.W)
}

// Line writes v as one line of JSON, whatever was asked for. Streams of records
// are written so.
func (o Output) Line(v any) error {
	b, err := marshal(v, "")
	if err != nil {
		return err
	}
	_, err = o.W.Write(b)
	return err
}

// marshal is json.Marshal without the escapes that are for HTML, and with a newline.
func marshal(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	err := e.Encode(v)
	return b.Bytes(), err
}

// writeYAML goes through JSON, which YAML contains, so that the names and their
// order are those of the JSON output.
func writeYAML(w io.Writer, v any) error {
	b, err := marshal(v, "")
	if err != nil {
		return err
	}
	var n yaml.Node
	if err := yaml.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("as YAML: %w", err)
	}
	plain(&n)
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(&n); err != nil {
		return fmt.Errorf("as YAML: %w", err)
	}
	return e.Close()
}

// plain takes JSON's brackets from maps and lists and the quotes from strings
// that do not need them.
func plain(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		n.Style = 0
	} else if n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode {
		n.Style = 0
		if len(n.Content) == 0 {
			n.Style = yaml.FlowStyle
		}
	}
	for _, c := range n.Content {
		plain(c)
	}
}

// Table writes aligned columns. Header names have no spaces, so that awk can
// split lines.
type Table struct{ tw *tabwriter.Writer }

// NewTable begins a table with its header.
func NewTable(w io.Writer, header ...string) *Table {
	t := &Table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.line(header)
	return t
}

// Row adds a line; an empty cell is written as "-" to keep the columns countable, and
// what is not to be printed as Go would quote it: whoever names a group or a
// transaction is no more to write lines of the table, or to the terminal, than that.
func (t *Table) Row(cells ...any) {
	s := make([]string, len(cells))
	for i, c := range cells {
		s[i] = printable(fmt.Sprint(c))
		if s[i] == "" {
			s[i] = "-"
		}
	}
	t.line(s)
}

func printable(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

// line ends without a tab: the last column is not padded.
func (t *Table) line(cells []string) { fmt.Fprintln(t.tw, strings.Join(cells, "\t")) }

// Flush writes the table.
func (t *Table) Flush() error { return t.tw.Flush() }

// Count is a number with its noun: "1 record", "2 records".
func Count[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
