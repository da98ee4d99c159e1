package mood

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/leatdev/leat/examples/support/models/text"
)

// Lexicon is the list of weighted words and phrases. Read only; safe for
// concurrent use. The zero value knows no word and finds every message neutral.
type Lexicon struct {
	words   map[string]float64
	phrases map[string][]phrase // by first word, the longest first
	stems   map[string]float64  // "disappoint*"
}

type phrase struct {
	words  []string
	weight float64
}

const shortestStem = 3

// ReadLexicon reads lines of a weight and the words that carry it; "#" begins a
// comment line. See ../../data/lexicon.txt for the signs in words.
func ReadLexicon(r io.Reader) (*Lexicon, error) {
	l := &Lexicon{words: map[string]float64{}, phrases: map[string][]phrase{}, stems: map[string]float64{}}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		weight, err := strconv.ParseFloat(fields[0], 64)
		if err != nil || weight == 0 {
			return nil, fmt.Errorf("line %d: a line begins with a weight other than 0, found %q", n, fields[0])
		}
		for _, word := range fields[1:] {
			l.add(word, weight)
		}
	}
	return l, lines.Err()
}

// Len is the number of entries.
func (l *Lexicon) Len() int {
	n := len(l.words) + len(l.stems)
	for _, p := range l.phrases {
		n += len(p)
	}
	return n
}

// add files one entry. Entries are cut as messages are, so that "don't_buy" and
// "top-notch" are phrases of the words that messages have.
func (l *Lexicon) add(entry string, weight float64) {
	if stem, ok := strings.CutSuffix(entry, "*"); ok {
		l.stems[stem] = weight
		return
	}
	words := text.Tokens(strings.ReplaceAll(entry, "_", " "))
	if len(words) == 1 {
		l.words[text.Lower(words[0])] = weight
		return
	}
	for i := range words {
		words[i] = text.Lower(words[i])
	}
	same := append(l.phrases[words[0]], phrase{words, weight})
	for i := len(same) - 1; i > 0 && len(same[i].words) > len(same[i-1].words); i-- {
		same[i], same[i-1] = same[i-1], same[i]
	}
	l.phrases[words[0]] = same
}

// lookup finds the entry that words begin with: its weight and its number of
// words, 0 when there is none.
func (l *Lexicon) lookup(words []string) (weight float64, n int) {
	for _, p := range l.phrases[words[0]] {
		if begins(words, p.words) {
			return p.weight, len(p.words)
		}
	}
	for _, w := range forms(words[0]) {
		if weight, ok := l.words[w]; ok {
			return weight, 1
		}
	}
	for end := len(words[0]); end >= shortestStem; end-- {
		if weight, ok := l.stems[words[0][:end]]; ok {
			return weight, 1
		}
	}
	return 0, 0
}

func begins(words, with []string) bool {
	if len(words) < len(with) {
		return false
	}
	for i, w := range with {
		if words[i] != w {
			return false
		}
	}
	return true
}

// forms are the spellings under which a word may be listed: itself, without
// letters repeated for effect ("sooo"), and without its ending.
func forms(word string) []string {
	all := []string{word}
	if short := squeeze(word, 2); short != word {
		all = append(all, short, squeeze(word, 1))
	}
	for _, ending := range []string{"s", "es", "ed", "d", "ing", "ly", "er", "est", "y"} {
		if stem, ok := strings.CutSuffix(word, ending); ok && len(stem) > shortestStem {
			all = append(all, stem)
		}
	}
	return all
}

// squeeze cuts runs of one letter longer than two to n of it.
func squeeze(word string, n int) string {
	runes := []rune(word)
	var b strings.Builder
	for i := 0; i < len(runes); {
		j := i
		for j < len(runes) && runes[j] == runes[i] {
			j++
		}
		run := j - i
		if run > 2 {
			run = n
		}
		b.WriteString(strings.Repeat(string(runes[i]), run))
		i = j
	}
	return b.String()
}
