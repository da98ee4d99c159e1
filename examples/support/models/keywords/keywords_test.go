package keywords

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leatdev/leat/examples/support/models/tagger"
)

// sentence reads "My/PRON card/NOUN".
func sentence(s string) tagger.Sentence {
	var out tagger.Sentence
	for f := range strings.FieldsSeq(s) {
		word, tag, _ := strings.Cut(f, "/")
		out = append(out, tagger.Word{Word: word, Tag: tag})
	}
	return out
}

func TestSpans(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, tags, want string }{
		{"my new debit card", "my/PRON new/ADJ debit/NOUN card/NOUN", "[new debit card|debit card|card]"},
		{"Apple Pay and the app", "Apple/PROPN Pay/PROPN and/CCONJ the/DET app/NOUN", "[apple pay|pay][app]"},
		{"a top-up failed", "a/DET top/NOUN -/PUNCT up/NOUN failed/VERB", "[top-up|up]"},
		{"I charge it", "I/PRON charge/VERB it/PRON", ""},
		{"", "", ""},
	} {
		groups, err := spansOf(c.text, sentence(c.tags))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, g := range groups {
			var names []string
			for _, s := range g {
				names = append(names, s.name)
			}
			got += fmt.Sprint("[", strings.Join(names, "|"), "]")
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.text, got, c.want)
		}
	}
}

func examples() []Example {
	var all []Example
	for _, product := range []string{"kettle", "card", "lamp", "phone"} {
		all = append(all,
			Example{"My " + product + " broke", sentence("My/PRON " + product + "/NOUN broke/VERB"), []string{product}},
			Example{"In the morning", sentence("In/ADP the/DET morning/NOUN"), nil})
	}
	return all
}

func TestFind(t *testing.T) {
	t.Parallel()
	m, err := Train(examples(), []string{"Gift Cards"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Find("My phone broke in the morning, my Phone!", sentence("My/PRON phone/NOUN broke/VERB in/ADP the/DET morning/NOUN ,/PUNCT my/PRON Phone/NOUN !/PUNCT"))
	if err != nil || len(got) != 1 || got[0].Name != "phone" || got[0].Score <= 0.5 || got[0].Score > 1 {
		t.Errorf("%v, %v", got, err)
	}
	if m.listed(sentence("gift/NOUN card/NOUN"), span{0, 2, "gift card"}) != yes || m.listed(sentence("a/DET pen/NOUN"), span{1, 2, "pen"}) != no {
		t.Error("the catalogue is not read as it should")
	}
	if _, err := m.Find("My phone", sentence("My/PRON lamp/NOUN")); err == nil {
		t.Error("tags of another text were taken")
	}
	if _, err := Train([]Example{{"a", sentence("b/NOUN"), nil}}, nil); err == nil {
		t.Error("trained on tags of another text")
	}
}

func TestScores(t *testing.T) {
	t.Parallel()
	m, err := Train(examples(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if f1, err := m.F1(examples()); err != nil || f1 < 0.99 {
		t.Errorf("F1 %v on what it was trained on, %v", f1, err)
	}
	if f1, err := EveryNoun(examples()); err != nil || f1 < 0.66 || f1 > 0.67 { // 4 of 8 nouns: precision 1/2, recall 1
		t.Errorf("every noun: %v, %v", f1, err)
	}
}
