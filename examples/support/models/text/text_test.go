package text

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"I don't, can't, CANNOT.":        "I|do|n't|,|ca|n't|,|CAN|NOT|.",
		"It’s we'll kids' 'tis":          "It|’s|we|'ll|kids|'|'|tis",
		"wow!!! well... (really?!)":      "wow|!!!|well|...|(|really|?|!|)",
		"1,234.50 at 10:30, 3rd":         "1,234.50|at|10:30|,|3rd",
		"top-up -- now":                  "top|-|up|--|now",
		"mail a@b.example, www.x.org.":   "mail|a@b.example|,|www.x.org|.",
		"see https://x.example/a?b=c!":   "see|https://x.example/a?b=c|!",
		"nice :-) <3 10:D":               "nice|:-)|<3|10|:D",
		"👍🏽 👨‍👩‍👧 ❤️🙁":                   "👍🏽|👨‍👩‍👧|❤️|🙁",
		"e\u0301te\u0301 x\u00a0y\u3000": "e\u0301te\u0301|x|y",
		"":                               "",
		"\xff\xfe ok":                    "\uFFFD|\uFFFD|ok",
	} {
		if got := strings.Join(Tokens(message), "|"); got != want {
			t.Errorf("%q: %s, want %s", message, got, want)
		}
	}
}

func TestTerms(t *testing.T) {
	t.Parallel()
	want := []string{"top", "up", "top_up", "?", "up_?", "~<top", "~top>", "~<up>"}
	if got := Terms("Top-up?"); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Weights as scikit-learn 1.2 defines them: idf = ln((1+n)/(1+df)) + 1.
func TestTFIDF(t *testing.T) {
	t.Parallel()
	tfidf := Fit([][]string{{"a", "b"}, {"a", "a", "c"}, {"a", "b"}}, 2)
	if !slices.Equal(tfidf.Terms, []string{"a", "b"}) {
		t.Fatalf("terms %q: c is in one text only", tfidf.Terms)
	}
	a, b := (1+math.Log(2))*1, math.Log(4.0/3)+1
	norm := math.Hypot(a, b)
	v := tfidf.Vector([]string{"b", "a", "x", "a"})
	if !slices.Equal(v.Indices, []int32{0, 1}) || math.Abs(float64(v.Values[0])-a/norm) > 1e-6 || math.Abs(float64(v.Values[1])-b/norm) > 1e-6 {
		t.Errorf("got %v, want %v %v", v, a/norm, b/norm)
	}
	if v := tfidf.Vector([]string{"x"}); len(v.Indices) != 0 {
		t.Errorf("unknown terms make %v", v)
	}
}
