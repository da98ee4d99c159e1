package models_test

import (
	"bufio"
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatdev/leat/examples/support/data"
	"github.com/leatdev/leat/examples/support/models"
	"github.com/leatdev/leat/examples/support/models/card"
	"github.com/leatdev/leat/examples/support/models/class"
	"github.com/leatdev/leat/examples/support/models/help"
	"github.com/leatdev/leat/examples/support/models/intent"
	"github.com/leatdev/leat/examples/support/models/tagger"
)

// The floors are measured on public data sets that the project does not carry:
// BANKING77 (CC BY 4.0), UCI Sentiment Labelled Sentences (CC BY 4.0) and the
// English Web Treebank of Universal Dependencies 2.15 (CC BY-SA 4.0). Options
// were chosen on parts of the training files; the test files only measure.

// dataFile is the path of a file of the data sets; the test is skipped when
// they are not there.
func dataFile(t *testing.T, name ...string) string {
	t.Helper()
	root := os.Getenv("LEAT_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(root); err != nil {
		t.Skipf("no data sets in %s: set LEAT_DATA to their folder", root)
	}
	return filepath.Join(append([]string{root}, name...)...)
}

// labelled are texts and the label of each.
type labelled struct{ texts, labels []string }

func banking(t *testing.T, part string) labelled {
	t.Helper()
	f, err := os.Open(dataFile(t, "banking77", part))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var l labelled
	for _, row := range rows[1:] {
		l.texts, l.labels = append(l.texts, row[0]), append(l.labels, row[1])
	}
	return l
}

func uci(t *testing.T) labelled {
	t.Helper()
	var l labelled
	for _, name := range []string{"amazon_cells_labelled.txt", "yelp_labelled.txt"} {
		f, err := os.Open(dataFile(t, "uci-sentiment", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			text, label, _ := strings.Cut(lines.Text(), "\t")
			l.texts = append(l.texts, text)
			l.labels = append(l.labels, map[string]string{"0": "negative", "1": "positive"}[strings.TrimSpace(label)])
		}
	}
	if len(l.texts) != 2000 {
		t.Fatalf("read %d sentences, want 2000", len(l.texts))
	}
	return l
}

func treebank(t *testing.T, part string) []tagger.Sentence {
	t.Helper()
	f, err := os.Open(dataFile(t, "ud-english-ewt", "en_ewt-ud-"+part+".conllu"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sentences, err := tagger.ReadCoNLLU(f)
	if err != nil {
		t.Fatal(err)
	}
	return sentences
}

// atLeast checks a floor, and that a model that always answers the same stays
// below it: a floor that anything reaches is none.
func atLeast(t *testing.T, what string, score, floor, constant float64) {
	t.Helper()
	t.Logf("%s: %.4f (floor %.2f, a constant model %.4f)", what, score, floor, constant)
	if score < floor {
		t.Errorf("%s: %.4f is below the floor of %.2f", what, score, floor)
	}
	if constant >= floor {
		t.Errorf("%s: a constant model reaches %.4f, the floor of %.2f proves nothing", what, constant, floor)
	}
}

func constant(label string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = label
	}
	return all
}

func TestFloorIntent(t *testing.T) {
	t.Parallel()
	train, test := banking(t, "train.csv"), banking(t, "test.csv")
	m := intent.Train(train.texts, train.labels)
	if len(m.Linear.Labels) != 77 {
		t.Fatalf("%d intents, want 77", len(m.Linear.Labels))
	}
	atLeast(t, "intent accuracy", intentAccuracy(m, test), 0.88,
		card.Accuracy(test.labels, constant(card.Commonest(train.labels), len(test.labels))))
	if got := intentAccuracy(intent.Train(nil, nil), test); got != 0 {
		t.Errorf("an empty model has accuracy %v", got)
	}
}

func intentAccuracy(m *intent.Model, l labelled) float64 {
	guess := make([]string, len(l.texts))
	for i, text := range l.texts {
		guess[i] = m.Predict(text).Name
	}
	return card.Accuracy(l.labels, guess)
}

func TestFloorChecklist(t *testing.T) {
	t.Parallel()
	train, test := banking(t, "train.csv"), banking(t, "test.csv")
	top1, top3 := nearestAccuracy(help.Train(train.texts, train.labels), test)
	one := card.Commonest(train.labels)
	m := help.Train(train.texts, constant(one, len(train.labels)))
	constant1, constant3 := nearestAccuracy(m, test)
	atLeast(t, "checklist top-1", top1, 0.78, constant1)
	atLeast(t, "checklist top-3", top3, 0.90, constant3)
	if got, _ := nearestAccuracy(help.Train(nil, nil), test); got != 0 {
		t.Errorf("an empty model has accuracy %v", got)
	}
}

func nearestAccuracy(m *help.Model, l labelled) (top1, top3 float64) {
	first, any3 := 0, 0
	for i, text := range l.texts {
		for rank, vote := range m.Nearest(m.Embed(text)) {
			if vote.Label == l.labels[i] {
				any3++
				if rank == 0 {
					first++
				}
			}
		}
	}
	n := float64(len(l.texts))
	return float64(first) / n, float64(any3) / n
}

func TestFloorSentiment(t *testing.T) {
	t.Parallel()
	sentences := uci(t)
	lexicon, err := data.Lexicon()
	if err != nil {
		t.Fatal(err)
	}
	guess := make([]string, len(sentences.texts))
	for i, text := range sentences.texts {
		guess[i] = lexicon.Score(text).TwoWay()
	}
	atLeast(t, "sentiment accuracy", card.Accuracy(sentences.labels, guess), 0.78,
		card.Accuracy(sentences.labels, constant("positive", len(guess))))
}

func TestFloorTagger(t *testing.T) {
	t.Parallel()
	train, test := treebank(t, "dev"), treebank(t, "test")
	score := tagger.Train(train).Accuracy(test)
	atLeast(t, "tagger accuracy", score, 0.89, tagger.Baseline{}.Accuracy(test)) // all nouns
	baseline := tagger.MostFrequent(train).Accuracy(test)
	t.Logf("most frequent tag: %.4f", baseline)
	if score < baseline+0.06 {
		t.Errorf("%.4f is less than 6 points over the most frequent tag, %.4f", score, baseline)
	}
	if baseline < 0.80 || baseline > 0.83 {
		t.Errorf("most frequent tag: %.4f, measured elsewhere as 0.818", baseline)
	}
	if got := tagger.Train(nil).Accuracy(test); got != 0 {
		t.Errorf("an empty model has accuracy %v", got)
	}
}

// The shipped class model has seen nothing but the example's own messages.
func TestFloorClass(t *testing.T) {
	t.Parallel()
	questions, reviews := banking(t, "test.csv"), uci(t)
	texts := append(questions.texts, reviews.texts...)
	gold := constant(class.Help, len(questions.texts))
	for _, label := range reviews.labels {
		gold = append(gold, map[string]string{"positive": class.Compliment, "negative": class.Complaint}[label])
	}
	set := shipped(t)
	guess := make([]string, len(texts))
	for i, text := range texts {
		guess[i] = set.Class.Predict(text, set.Tagger.Tag(text)).Name
	}
	atLeast(t, "class macro-F1", card.MacroF1(gold, guess), 0.70, card.MacroF1(gold, constant(class.Help, len(gold))))
}

func shipped(t *testing.T) *models.Set {
	t.Helper()
	set, err := loadShipped()
	if err != nil {
		t.Fatal(err)
	}
	return set
}
