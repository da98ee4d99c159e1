package redact

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTextHidesSecretsAndTheirLastWord(t *testing.T) {
	r := New("Bearer sk-abcdef", "abcd", `pa"ss"word`, "1")
	for in, want := range map[string]string{
		"got Bearer sk-abcdef":  "got [redacted]",
		"key sk-abcdef refused": "key [redacted] refused",
		"abcdabcd":              "[redacted][redacted]",
		`{"p":"pa\"ss\"word"}`:  `{"p":"[redacted]"}`,
		"version 1":             "version 1",
	} {
		if got := r.Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestQuoteIsOneShortValidLine(t *testing.T) {
	got := New().Quote([]byte("<html>\n\t<b>\x00bad\xff</b>" + strings.Repeat("é", 401) + "\n ValueError: the end"))
	if !utf8.ValidString(got) || strings.ContainsAny(got, "\n\t\x00") {
		t.Errorf("Quote = %q", got)
	}
	if !strings.HasPrefix(got, "<html> <b> bad\uFFFD</b>é") || !strings.HasSuffix(got, "é ValueError: the end") || !strings.Contains(got, "é … é") || len(got) > 310 {
		t.Errorf("Quote = %q (%d bytes)", got, len(got))
	}
}

// A secret over the border of what is looked at must not show its first half,
// not even when replacing shrinks everything before it to nothing.
func TestQuoteLeavesNoHalfSecretAtTheCut(t *testing.T) {
	secret := strings.Repeat("s", 9) + strings.Repeat("S", 1000)
	text := strings.Repeat(secret, MaxText/len(secret)+1)
	if got := New(secret).Quote([]byte(text)); strings.Contains(got, "ss") {
		t.Errorf("Quote shows a part of the secret: %q", got)
	}
	var zero *Redactor
	if got := zero.Quote([]byte("plain")); got != "plain" {
		t.Errorf("nil Redactor: %q", got)
	}
}
