package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Tokens splits a message into words, numbers, punctuation and symbols, in
// order. It never fails: what it does not know is a token of its own. Bytes
// that are not UTF-8 count as U+FFFD.
func Tokens(s string) []string {
	var out []string
	for _, chunk := range strings.FieldsFunc(s, isSpace) {
		if isAddress(chunk) {
			word := strings.TrimRight(chunk, ".,!?;:)")
			out = append(out, word)
			out = appendChunk(out, []rune(chunk[len(word):]))
			continue
		}
		out = appendChunk(out, []rune(chunk))
	}
	return out
}

// Lower is the lower case of a word, rune by rune: no rune becomes two, so that
// other languages' string functions can be made to agree with it.
func Lower(s string) string { return strings.Map(unicode.ToLower, s) }

// isSpace is what separates chunks: the white space of ASCII and the no-break,
// general-punctuation and ideographic spaces.
func isSpace(r rune) bool {
	switch {
	case r == ' ', r >= '\t' && r <= '\r', r == 0x85, r == 0xA0, r >= 0x2000 && r <= 0x200B,
		r == 0x2028, r == 0x2029, r == 0x202F, r == 0x3000, r == 0xFEFF:
		return true
	}
	return false
}

// isAddress tells web and mail addresses, which stay whole.
func isAddress(chunk string) bool {
	if strings.Contains(chunk, "://") || strings.HasPrefix(chunk, "www.") {
		return true
	}
	at := strings.IndexByte(chunk, '@')
	return at > 0 && strings.Contains(chunk[at:], ".") && isWordRune(lastRune(chunk[:at]))
}

func lastRune(s string) rune { r, _ := utf8.DecodeLastRuneInString(s); return r }

func isWordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_'
}

// joins are runes that belong to the token before them: combining marks,
// variation selectors, skin tones and the joiner of composed emoji.
func joins(r rune) bool {
	return unicode.Is(unicode.M, r) || r == 0x200D || (r >= 0x1F3FB && r <= 0x1F3FF)
}

func isApostrophe(r rune) bool { return r == '\'' || r == '’' }

// emoticons are the faces made of punctuation that stay one token.
var emoticons = []string{":-)", ":-(", ";-)", ":-/", ":)", ":(", ";)", ":D", ":/", ":P", "<3"}

// appendChunk cuts one run of non-space runes.
func appendChunk(out []string, chunk []rune) []string {
	for i := 0; i < len(chunk); {
		if n := emoticonAt(chunk, i); n > 0 {
			out = append(out, string(chunk[i:i+n]))
			i += n
			continue
		}
		end := i + 1
		if isWordRune(chunk[i]) {
			end = wordEnd(chunk, i)
			out = appendWord(out, chunk[i:end])
			i = end
			continue
		}
		for end < len(chunk) && (joins(chunk[end]) || chunk[end-1] == 0x200D ||
			(chunk[end] == chunk[i] && isRepeated(chunk[i]))) {
			end++
		}
		if isApostrophe(chunk[i]) { // 's, 'm and so on after something that is no word
			if e := wordEnd(chunk, i+1); e > i+1 && isClitic(Lower(string(chunk[i+1:e]))) {
				end = e
			}
		}
		out = append(out, string(chunk[i:end]))
		i = end
	}
	return out
}

// isRepeated tells the marks of which a run is one token: "...", "!!!", "--".
func isRepeated(r rune) bool { return strings.ContainsRune(".!?-*_=~", r) }

func emoticonAt(chunk []rune, i int) int {
	if i > 0 && isWordRune(chunk[i-1]) && chunk[i] != '<' && chunk[i] != ':' {
		return 0
	}
	for _, face := range emoticons {
		if n := len(face); i+n <= len(chunk) && string(chunk[i:i+n]) == face {
			if i+n < len(chunk) && isWordRune(chunk[i+n]) {
				continue // "10:Don't" is no face
			}
			return n
		}
	}
	return 0
}

// wordEnd is the end of the word that starts at i: letters and digits, with
// apostrophes between letters and the marks of a number between digits.
func wordEnd(chunk []rune, i int) int {
	end := i
	for end < len(chunk) {
		r := chunk[end]
		inside := end > i && end+1 < len(chunk)
		switch {
		case isWordRune(r), end > i && joins(r):
		case inside && isApostrophe(r) && unicode.IsLetter(chunk[end-1]) && unicode.IsLetter(chunk[end+1]):
		case inside && (r == '.' || r == ',' || r == ':') && unicode.IsDigit(chunk[end-1]) && unicode.IsDigit(chunk[end+1]):
		default:
			return end
		}
		end++
	}
	return end
}

func isClitic(s string) bool {
	switch s {
	case "s", "m", "re", "ve", "ll", "d":
		return true
	}
	return false
}

// appendWord adds one word, its contraction as a word of its own.
func appendWord(out []string, word []rune) []string {
	lower := []rune(Lower(string(word)))
	n := len(lower)
	switch {
	case n > 3 && lower[n-3] == 'n' && isApostrophe(lower[n-2]) && lower[n-1] == 't':
		return append(out, string(word[:n-3]), string(word[n-3:]))
	case string(lower) == "cannot":
		return append(out, string(word[:3]), string(word[3:]))
	}
	for i := n - 1; i > 0 && i >= n-3; i-- {
		if isApostrophe(lower[i]) && isClitic(string(lower[i+1:])) {
			return append(out, string(word[:i]), string(word[i:]))
		}
	}
	return append(out, string(word))
}
