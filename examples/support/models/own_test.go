package models_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/leatdev/leat/examples/support/data"
	"github.com/leatdev/leat/examples/support/models"
	"github.com/leatdev/leat/examples/support/models/card"
	"github.com/leatdev/leat/examples/support/models/class"
	"github.com/leatdev/leat/examples/support/models/keywords"
	"github.com/leatdev/leat/examples/support/models/tagger"
	"github.com/leatdev/leat/examples/support/weights"
)

var loadShipped = sync.OnceValues(func() (*models.Set, error) {
	lexicon, err := data.Lexicon()
	if err != nil {
		return nil, err
	}
	return models.Load(weights.Files, lexicon)
})

var trainOwn = sync.OnceValues(func() (*models.Set, error) {
	corpus, err := models.Own()
	if err != nil {
		return nil, err
	}
	return models.Train(corpus)
})

// ownFloors are what the shipped weights reach on the example's own held-out
// data, a little below what their cards say.
var ownFloors = map[string]float64{
	models.MoodName: 0.85, models.TaggerName: 0.88, models.ClassName: 0.72,
	models.KeywordsName: 0.85, models.IntentName: 0.52, models.HelpName: 0.75,
}

// A card states what training measures today, from data that anybody can read;
// so weights that are older than their data are found out.
func TestCardsOfShippedWeightsAreTrue(t *testing.T) {
	t.Parallel()
	trained, err := trainOwn()
	if err != nil {
		t.Fatal(err)
	}
	if len(shipped(t).Cards) != len(ownFloors) {
		t.Fatalf("%d cards for %d models", len(shipped(t).Cards), len(ownFloors))
	}
	for i, c := range shipped(t).Cards {
		fresh := trained.Cards[i]
		if fresh.Model != c.Model || fresh.Examples != c.Examples || math.Abs(fresh.Score-c.Score) > 0.02 {
			t.Errorf("the shipped weights say\n\t%s\nand training today\n\t%s\nrun `go run ./examples/support/train`", c, fresh)
		}
		floor := ownFloors[c.Model]
		if floor == 0 || c.Score < floor {
			t.Errorf("%s: below its floor of %.2f", c, floor)
		}
		if c.Baseline >= floor {
			t.Errorf("%s: the baseline reaches the floor of %.2f", c, floor)
		}
		if c.Data == "" || c.Licence == "" || c.Measure == "" || c.BaselineIs == "" || c.Examples < 50 {
			t.Errorf("card is not whole: %+v", c)
		}
	}
}

// The scores of the cards are measured once more, on the decoded weights.
func TestShippedWeightsOnHeldOut(t *testing.T) {
	t.Parallel()
	set := shipped(t)
	_, sentences, err := data.Tagged()
	if err != nil {
		t.Fatal(err)
	}
	check := func(name string, score float64) {
		if floor := ownFloors[name]; score < floor {
			t.Errorf("%s: %.3f on held-out data, floor %.2f", name, score, floor)
		}
	}
	check(models.TaggerName, set.Tagger.Accuracy(sentences))
	var gold, guess []string
	var heldOut []keywords.Example
	for _, m := range messages(t) {
		if m.HeldOut() {
			tags := set.Tagger.Tag(m.Text)
			gold, guess = append(gold, m.Class), append(guess, set.Class.Predict(m.Text, tags).Name)
			heldOut = append(heldOut, keywords.Example{Text: m.Text, Tags: tags, Products: m.Products})
		}
	}
	check(models.ClassName, card.MacroF1(gold, guess))
	check(models.KeywordsName, f1(t, set.Keywords, heldOut))
}

func TestShippedWeightsAreSmall(t *testing.T) {
	t.Parallel()
	entries, err := weights.Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if total == 0 || total > 2<<20 {
		t.Errorf("the shipped weights have %d bytes, at most 2 MiB are meant", total)
	}
}

// Five folds, so that each of the messages with gold products is measured by a
// model that has not seen it. Its tags come from the shipped tagger.
func TestFloorKeywords(t *testing.T) {
	t.Parallel()
	set := shipped(t)
	products, err := data.Products()
	if err != nil {
		t.Fatal(err)
	}
	var folds [5][]keywords.Example
	n := 0
	for _, m := range messages(t) {
		if len(m.Products) == 0 {
			continue
		}
		folds[n%5] = append(folds[n%5], keywords.Example{Text: m.Text, Tags: set.Tagger.Tag(m.Text), Products: m.Products})
		n++
	}
	if n < 150 {
		t.Fatalf("%d messages with gold products, at least 150 are meant", n)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	whole, shuffled := 0.0, 0.0
	for i, heldOut := range folds {
		var train []keywords.Example
		for j, fold := range folds {
			if j != i {
				train = append(train, fold...)
			}
		}
		m, err := keywords.Train(train, products)
		if err != nil {
			t.Fatal(err)
		}
		whole += f1(t, m, heldOut) / 5
		for k, e := range heldOut {
			heldOut[k].Tags = shuffledTags(rng, e.Tags)
		}
		shuffled += f1(t, m, heldOut) / 5
	}
	atLeast(t, fmt.Sprintf("keywords F1 on %d messages", n), whole, 0.80, f1(t, emptyKeywords(t), folds[0]))
	t.Logf("with shuffled tags: %.4f", shuffled)
	if shuffled > whole-0.10 {
		t.Errorf("F1 with shuffled tags is %.4f against %.4f: the tags hardly matter", shuffled, whole)
	}
}

func emptyKeywords(t *testing.T) *keywords.Model {
	t.Helper()
	m, err := keywords.Train(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func shuffledTags(rng *rand.Rand, tags tagger.Sentence) tagger.Sentence {
	out := make(tagger.Sentence, len(tags))
	for i, j := range rng.Perm(len(tags)) {
		out[i] = tagger.Word{Word: tags[i].Word, Tag: tags[j].Tag}
	}
	return out
}

func f1(t *testing.T, m *keywords.Model, examples []keywords.Example) float64 {
	t.Helper()
	score, err := m.F1(examples)
	if err != nil {
		t.Fatal(err)
	}
	return score
}

func messages(t *testing.T) []data.Message {
	t.Helper()
	all, err := data.Messages()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A class model that has learnt nothing, or one class only, is below the floor.
func TestWorthlessClassModelsAreBelowTheFloor(t *testing.T) {
	t.Parallel()
	set := shipped(t)
	one := []class.Example{{Text: "help", Tags: set.Tagger.Tag("help"), Class: class.Help}}
	for name, m := range map[string]*class.Model{"empty": class.Train(nil, set.Mood), "constant": class.Train(one, set.Mood)} {
		var gold, guess []string
		for _, e := range messages(t) {
			gold, guess = append(gold, e.Class), append(guess, m.Predict(e.Text, set.Tagger.Tag(e.Text)).Name)
		}
		if score := card.MacroF1(gold, guess); score >= ownFloors[models.ClassName] {
			t.Errorf("the %s model has macro-F1 %.3f", name, score)
		}
	}
}

// What was saved is what was trained, to the last weight of the tagger and the
// last answer of the others.
func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	trained, err := trainOwn()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := trained.Save(dir); err != nil {
		t.Fatal(err)
	}
	loaded, err := models.Load(os.DirFS(dir), trained.Mood)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages(t)[:60] {
		tags := trained.Tagger.Tag(m.Text)
		words1, err1 := trained.Keywords.Find(m.Text, tags)
		words2, err2 := loaded.Keywords.Find(m.Text, tags)
		a := fmt.Sprint(tags, words1, err1, trained.Class.Predict(m.Text, tags), trained.Intent.Predict(m.Text),
			trained.Help.Nearest(trained.Help.Embed(m.Text)))
		b := fmt.Sprint(loaded.Tagger.Tag(m.Text), words2, err2, loaded.Class.Predict(m.Text, tags), loaded.Intent.Predict(m.Text),
			loaded.Help.Nearest(loaded.Help.Embed(m.Text)))
		if a != b {
			t.Errorf("%q:\ntrained %s\nloaded  %s", m.Text, a, b)
		}
	}
	if err := os.WriteFile(dir+"/class.json.gz", []byte("no gzip"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := models.Load(os.DirFS(dir), trained.Mood); err == nil {
		t.Error("weights that are no gzip were loaded")
	}
}
