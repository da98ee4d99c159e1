// Package redact keeps secrets (header values, keys, environment values) out
// of the foreign text that model errors and logs quote: a server that refuses
// a key likes to echo it.
package redact

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxText is how much of a foreign text is looked at, in bytes. Callers need
	// not read more of an error's body than this.
	MaxText = 64 << 10
	// An error shows a long text's head and tail, of so many bytes: an HTML page
	// says what it is at its beginning, a stack trace at its end.
	headQuote, tailQuote = 120, 180
	// minSecret is the length below which a value is no secret: hiding every
	// "1" of a text because of `x-api-version: 1` would hide the reason, too.
	minSecret = 4
	mask      = "[redacted]"
)

// Redactor replaces a fixed set of secrets. The zero value replaces nothing.
// It is safe for concurrent use.
type Redactor struct {
	replacer *strings.Replacer
	longest  int
}

// New makes a Redactor for the secrets, as they are and as JSON strings hold
// them. Of a value like "Bearer abc" the last word is a secret by itself, too.
// Values of fewer than four bytes are let through.
func New(secrets ...string) *Redactor {
	var all []string
	add := func(s string) {
		if len(s) >= minSecret && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	for _, s := range secrets {
		add(s)
		if words := strings.Fields(s); len(words) > 1 {
			add(words[len(words)-1])
		}
	}
	for _, s := range slices.Clone(all) {
		if quoted, err := json.Marshal(s); err == nil {
			add(string(quoted[1 : len(quoted)-1]))
		}
	}
	// Longest first, or a secret that begins with another one would leave its tail.
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	r := &Redactor{}
	if len(all) > 0 {
		pairs := make([]string, 0, 2*len(all))
		for _, s := range all {
			pairs = append(pairs, s, mask)
		}
		r.replacer, r.longest = strings.NewReplacer(pairs...), len(all[0])
	}
	return r
}

// Text returns s with every secret replaced.
func (r *Redactor) Text(s string) string {
	if r == nil || r.replacer == nil {
		return s
	}
	return r.replacer.Replace(s)
}

// Quote returns text fit for an error message or a log line: one line, valid
// UTF-8, about 300 bytes of its beginning and end, no secret and no part of one.
func (r *Redactor) Quote(text []byte) string {
	cut := len(text) >= MaxText
	if cut {
		text = text[:MaxText]
	}
	s := r.Text(string(text))
	if cut && r != nil {
		// The cut may have left the first half of a secret at the very end.
		s = s[:max(0, len(s)-r.longest)]
	}
	s = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= headQuote+tailQuote {
		return s
	}
	head, tail := headQuote, len(s)-tailQuote
	for !utf8.RuneStart(s[head]) {
		head--
	}
	for !utf8.RuneStart(s[tail]) {
		tail++
	}
	return s[:head] + " … " + s[tail:]
}
