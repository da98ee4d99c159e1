package keywords

import (
	"slices"
	"strconv"
	"strings"

	"github.com/leatdev/leat/examples/support/models/tagger"
	"github.com/leatdev/leat/examples/support/models/text"
)

// features describe a candidate: its words, their tags, what stands around it,
// whether the catalogue lists it.
func (m *Model) features(tags tagger.Sentence, s span) []string {
	head := singular(text.Lower(tags[s.to-1].Word))
	first := text.Lower(tags[s.from].Word)
	n := strconv.Itoa(s.to - s.from)
	f := []string{"b", "n=" + n, "head=" + head, "first=" + first, "name=" + singular(s.name),
		"n,head=" + n + " " + head, "headtag=" + tags[s.to-1].Tag, "pattern=" + pattern(tags[s.from:s.to]),
		"before=" + word(tags, s.from-1), "beforetag=" + tag(tags, s.from-1), "before2=" + word(tags, s.from-2),
		"after=" + word(tags, s.to), "aftertag=" + tag(tags, s.to),
		"around=" + tag(tags, s.from-1) + " " + tag(tags, s.to),
		"cut,head=" + strconv.FormatBool(s.from > 0 && extends(tags, s.from)) + " " + head,
		"listed=" + m.listed(tags, s), "listed,pattern=" + m.listed(tags, s) + " " + pattern(tags[s.from:s.to]),
		"cuttag=" + tag(tags, s.from-1) + " " + tags[s.from].Tag,
	}
	for _, n := range []int{3, 4} {
		if runes := []rune(head); len(runes) > n {
			f = append(f, "ends="+string(runes[len(runes)-n:]), "starts="+string(runes[:n]))
		}
	}
	for i := s.from - 1; i >= 0 && i >= s.from-4; i-- {
		if tags[i].Tag == "VERB" {
			f = append(f, "verb="+text.Lower(tags[i].Word))
			break
		}
	}
	return f
}

// listed tells whether the catalogue has the candidate as a whole ("yes"), only
// a shorter one of the same end ("part") or none ("no"). "wider" is a whole one
// that is the end of one listed too.
func (m *Model) listed(tags tagger.Sentence, s span) string {
	name := normal(s.name)
	if _, ok := slices.BinarySearch(m.Catalogue, name); ok {
		if s.from > 0 {
			if _, ok := slices.BinarySearch(m.Catalogue, text.Lower(tags[s.from-1].Word)+" "+name); ok {
				return "wider"
			}
		}
		return yes
	}
	for {
		_, rest, ok := strings.Cut(name, " ")
		if !ok {
			return no
		}
		if _, ok := slices.BinarySearch(m.Catalogue, rest); ok {
			return "part"
		}
		name = rest
	}
}

// normal is a name in lower case and singular.
func normal(name string) string { return singular(text.Lower(name)) }

func pattern(words tagger.Sentence) string {
	var tags []string
	for _, w := range words {
		tags = append(tags, w.Tag)
	}
	return strings.Join(tags, " ")
}

func word(tags tagger.Sentence, i int) string {
	if i < 0 || i >= len(tags) {
		return "^"
	}
	return text.Lower(tags[i].Word)
}

func tag(tags tagger.Sentence, i int) string {
	if i < 0 || i >= len(tags) {
		return "^"
	}
	return tags[i].Tag
}

// singular is a word without the ending of a regular plural.
func singular(word string) string {
	switch {
	case strings.HasSuffix(word, "ss"), len(word) < 4:
		return word
	case strings.HasSuffix(word, "ies"):
		return word[:len(word)-3] + "y"
	}
	return strings.TrimSuffix(word, "s")
}
