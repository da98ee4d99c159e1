package mood

import (
	"strings"
	"testing"
)

const words = `
# a comment
+3 great love
+2 nice fast
-2 bad slow broken disappoint* don't_buy
-3 awful 😡
`

func lexicon(t *testing.T) *Lexicon {
	t.Helper()
	l, err := ReadLexicon(strings.NewReader(words))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestRules(t *testing.T) {
	t.Parallel()
	l := lexicon(t)
	score := func(message string) float64 { return l.Score(message).Score }
	// Each message is better meant than the one below it.
	for _, ladder := range [][]string{
		{"It is really great!", "It is great!", "It is great.", "It is a bit great.", "It is here.", "It is not great.", "It is awful.", "It is very awful."},
		{"GREAT stuff from you", "great stuff from you"},
		{"not bad", "not very bad at all, bad", "bad", "bad 😡"},
		{"slow, but nice", "nice, but slow"},
		{"It works.", "It does not work.", "bad"},
		{"fast", "too fast"},
		{"I looooove it", "I like it"},
		{"something", "disappointingly so", "awful"},
		{"buy it", "Don't buy it"},
		{"Why don't I see it?", "I don't see it"},
	} {
		for i := 1; i < len(ladder); i++ {
			if score(ladder[i-1]) <= score(ladder[i]) {
				t.Errorf("%q scores %.3f, %q %.3f", ladder[i-1], score(ladder[i-1]), ladder[i], score(ladder[i]))
			}
		}
	}
	if score("great. no") >= score("great") || score("no. great") <= 0 {
		t.Error("a negation reaches over the end of a sentence")
	}
	if a, b := score("ALL OF IT IS GREAT"), score("all of it is great"); a != b {
		t.Errorf("capitals throughout say nothing, yet %v and %v", a, b)
	}
}

func TestBoundsAndLabels(t *testing.T) {
	t.Parallel()
	l := lexicon(t)
	for message, want := range map[string]string{
		strings.Repeat("great ", 999): "positive", strings.Repeat("awful! ", 999): "negative",
		"": "neutral", "?": "neutral", "the table": "neutral",
	} {
		m := l.Score(message)
		if m.Label != want || m.Score < -1 || m.Score > 1 || (m.Score == 0) != (want == "neutral") {
			t.Errorf("%.20q: %+v, want %s", message, m, want)
		}
	}
	if m := (&Lexicon{}).Score("great"); m.Label != "neutral" || m.TwoWay() != "negative" {
		t.Errorf("without words: %+v", m)
	}
}

func TestReadLexiconRefuses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"great +3", "0 nothing", "+3 a\nx y"} {
		if _, err := ReadLexicon(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	if n := lexicon(t).Len(); n != 11 {
		t.Errorf("%d entries, want 11", n)
	}
}
