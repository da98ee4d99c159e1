package tagger

import (
	"reflect"
	"strings"
	"testing"
)

const sample = "# text = I can't\n1-2\tcan't\t_\t_\n1\tI\ti\tPRON\tx\n2\tca\t_\tAUX\n3\tn't\t_\tPART\n3.1\tgo\t_\tVERB\n\n\n1\tGo\t_\tVERB\r\n"

func TestReadCoNLLU(t *testing.T) {
	t.Parallel()
	got, err := ReadCoNLLU(strings.NewReader(sample))
	want := []Sentence{{{"I", "PRON"}, {"ca", "AUX"}, {"n't", "PART"}}, {{"Go", "VERB"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"1\tI\n", "I PRON\n", "1\t\t_\tPRON\n"} {
		if _, err := ReadCoNLLU(strings.NewReader(bad)); err == nil || !strings.HasPrefix(err.Error(), "line 1: ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// sentences teach that "charge" is a noun after "the" and a verb after "they".
func sentences() []Sentence {
	var all []Sentence
	for range 10 {
		all = append(all, Sentence{{"the", "DET"}, {"charge", "NOUN"}, {"grows", "VERB"}}, Sentence{{"they", "PRON"}, {"charge", "VERB"}, {"us", "PRON"}})
	}
	return all
}

func TestTrainUsesContext(t *testing.T) {
	t.Parallel()
	m := Train(sentences())
	if got := m.Accuracy(sentences()); got != 1 {
		t.Errorf("accuracy %v on what it was trained on", got)
	}
	if got := m.Tag("They charge more than the charge"); got[1].Tag != "VERB" || got[5].Tag != "NOUN" {
		t.Errorf("%v", got)
	}
	if !reflect.DeepEqual(m, Train(sentences())) {
		t.Error("two trainings differ")
	}
	if got := MostFrequent(sentences()).Accuracy(sentences()); got < 0.8 || got >= 1 {
		t.Errorf("the most frequent tag cannot tell the two, yet has %v", got)
	}
}

func TestFrequentWordsOfOneTagAreKnown(t *testing.T) {
	t.Parallel()
	all := append(sentences(), sentences()...)
	known := Train(all).Known
	if known["the"] != "DET" || known["charge"] != "" {
		t.Errorf("%v", known)
	}
	if Train(sentences()).Known["the"] != "" {
		t.Error("ten times are not enough")
	}
}

func TestUntrainedTagger(t *testing.T) {
	t.Parallel()
	if got := Train(nil).Tag("Hello there"); len(got) != 2 || got[0].Tag != "" {
		t.Errorf("%v", got)
	}
}

func TestRounded(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]int{{5, 2, 3}, {-5, 2, -3}, {4, 3, 1}, {-4, 3, -1}, {0, 7, 0}} {
		if got := rounded(c[0], c[1]); got != c[2] {
			t.Errorf("%d/%d: %d, want %d", c[0], c[1], got, c[2])
		}
	}
}
