package tagger

import (
	"strings"
	"unicode"

	"github.com/leatdev/leat/examples/support/models/text"
)

// start stands for words and tags before the first and after the last one.
const start = "^"

// context is one list of words in the forms that features look at.
type context struct {
	words, lower []string
}

func newContext(words []string) *context {
	c := &context{words: words, lower: make([]string, len(words))}
	for i, w := range words {
		c.lower[i] = normal(w)
	}
	return c
}

// normal is a word in lower case with straight apostrophes; numbers are alike.
func normal(word string) string {
	digits := false
	for _, r := range word {
		if r >= '0' && r <= '9' {
			digits = true
		} else if r != '.' && r != ',' && r != ':' {
			return text.Lower(strings.ReplaceAll(word, "’", "'"))
		}
	}
	if digits {
		return "0"
	}
	return word
}

func (c *context) at(i int) string {
	if i < 0 || i >= len(c.lower) {
		return start
	}
	return c.lower[i]
}

// static are the features that do not depend on earlier tags.
func (c *context) static(i int) []string {
	w := c.lower[i]
	runes := []rune(w)
	f := make([]string, 0, 20)
	f = append(f, "b", "w="+w, "h="+c.shape(i),
		"p1="+prefix(runes, 1), "p2="+prefix(runes, 2), "p3="+prefix(runes, 3),
		"s1="+suffix(runes, 1), "s2="+suffix(runes, 2), "s3="+suffix(runes, 3), "s4="+suffix(runes, 4),
		"w-1="+c.at(i-1), "w-2="+c.at(i-2), "w+1="+c.at(i+1), "w+2="+c.at(i+2),
		"s-1="+suffix([]rune(c.at(i-1)), 3), "s+1="+suffix([]rune(c.at(i+1)), 3),
		"w+1,w="+c.at(i+1)+" "+w)
	if i+1 < len(c.words) {
		f = append(f, "h+1="+c.shape(i+1))
	}
	return f
}

// dynamic are the features that look at the one or two tags before.
func (c *context) dynamic(i int, prev, prev2 string) []string {
	w := c.lower[i]
	return []string{"t-1=" + prev, "t-2=" + prev2, "t-1,t-2=" + prev + " " + prev2, "t-1,w=" + prev + " " + w,
		"t-1,s3=" + prev + " " + suffix([]rune(w), 3), "t-1,w+1=" + prev + " " + c.at(i+1)}
}

// shape tells how a word is written: x lower, X upper, d digit, * symbols such as
// emoji, other runes as they are; runs are cut to one, and the first word of a sentence is marked.
func (c *context) shape(i int) string {
	var b strings.Builder
	var last rune
	for _, r := range c.words[i] {
		s := r
		switch {
		case unicode.IsUpper(r):
			s = 'X'
		case unicode.IsLetter(r):
			s = 'x'
		case unicode.IsDigit(r):
			s = 'd'
		case unicode.Is(unicode.So, r):
			s = '*'
		}
		if s != last {
			b.WriteRune(s)
		}
		last = s
	}
	if i == 0 || c.words[i-1] != "" && strings.Trim(c.words[i-1], ".!?") == "" {
		b.WriteByte('^')
	}
	return b.String()
}

func prefix(runes []rune, n int) string { return string(runes[:min(n, len(runes))]) }
func suffix(runes []rune, n int) string { return string(runes[max(0, len(runes)-n):]) }
