package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a pipeline file. Line and Col count from 1, Col in
// characters; zero when the place is the file as a whole.
type Pos struct {
	File      string
	Line, Col int
}

// String returns file:line:col, as editors understand it.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Problem is one mistake in a pipeline file: where, what, and what to do.
type Problem struct {
	Pos
	Text string
}

func (p Problem) String() string { return p.Pos.String() + ": " + p.Text }

// Problems are all mistakes of the files that were parsed, sorted by position.
// As an error it is one line per problem.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (ps *Problems) addf(pos Pos, format string, args ...any) {
	*ps = append(*ps, Problem{Pos: pos, Text: fmt.Sprintf(format, args...)})
}

// sorted orders problems by file (in the order the files were given), line and column.
func (ps Problems) sorted(files []string) Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(slices.Index(files, a.File), slices.Index(files, b.File)),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return slices.Compact(ps)
}
