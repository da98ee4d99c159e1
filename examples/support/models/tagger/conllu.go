package tagger

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// ReadCoNLLU reads sentences in CoNLL-U
// (https://universaldependencies.org/format.html): column 2 is the word, column
// 4 its universal tag. Lines of multi-word tokens ("3-4") and empty nodes
// ("8.1") are passed over, other columns may be "_".
func ReadCoNLLU(r io.Reader) ([]Sentence, error) {
	var out []Sentence
	var s Sentence
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), "\r")
		if line == "" {
			if s != nil {
				out, s = append(out, s), nil
			}
			continue
		}
		if line[0] == '#' {
			continue
		}
		columns := strings.Split(line, "\t")
		if len(columns) < 4 || columns[1] == "" || columns[3] == "" {
			return nil, fmt.Errorf("line %d: a word needs tab-separated columns ID, FORM, LEMMA, UPOS, found %q", n, line)
		}
		if strings.ContainsAny(columns[0], "-.") {
			continue
		}
		s = append(s, Word{columns[1], columns[3]})
	}
	if s != nil {
		out = append(out, s)
	}
	return out, lines.Err()
}
