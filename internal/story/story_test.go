package story

import (
	"errors"
	"strings"
	"testing"
)

// echo says what it is told to do, in capitals.
type echo struct{ said string }

func (e *echo) Do(line string) error {
	if line == "wrong" {
		return errors.New("no such command")
	}
	e.said += "  " + strings.ToUpper(line) + "\n"
	return nil
}

func (e *echo) Told() (s string) {
	s, e.said = e.said, ""
	return s
}

func TestPlay(t *testing.T) {
	t.Parallel()
	const good = "# About a and b.\na\nb\n----\n  A\n  B\n\nc\n----\n  C\n"
	for _, c := range []struct{ text, is, err string }{
		{good, good, ""},
		{strings.Replace(good, "  B", "  X", 1), good, "6: the story says\n\t  X\nbut it went\n\t  B"},
		{strings.TrimSuffix(good, "  C\n"), good, "10: the story says\n\t(nothing more)\nbut it went\n\t  C"},
		{good + "  D\n", good, "11: the story says\n\t  D\nbut it went\n\t(nothing more)"},
		{"a\nwrong\n----\n", "", `3: "wrong": no such command`},
		{"a\n----\n  A\n\nb\n", "", `5: ["b"] has no ---- after it`},
	} {
		is, err := play(c.text, new(echo))
		if err == nil {
			err = same(c.text, is)
		}
		if is != c.is || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%q: %q, %v", c.text, is, err)
		}
	}
}
