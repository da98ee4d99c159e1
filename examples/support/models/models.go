// Package models puts the example's models together: trained from data, saved
// to a folder of weights, loaded from one.
package models

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/leatdev/leat/examples/support/models/card"
	"github.com/leatdev/leat/examples/support/models/class"
	"github.com/leatdev/leat/examples/support/models/help"
	"github.com/leatdev/leat/examples/support/models/intent"
	"github.com/leatdev/leat/examples/support/models/keywords"
	"github.com/leatdev/leat/examples/support/models/mood"
	"github.com/leatdev/leat/examples/support/models/tagger"
)

// Set is all models of the example. Read only once made; safe for concurrent
// use.
type Set struct {
	Mood     *mood.Lexicon
	Tagger   *tagger.Model
	Class    *class.Model
	Keywords *keywords.Model
	Intent   *intent.Model
	Help     *help.Model

	// Cards say what each of them was made of, in the order of the fields.
	Cards []card.Card
}

// The names of the models on their cards; those of weights files, too.
const (
	MoodName     = "sentiment"
	TaggerName   = "tagger"
	ClassName    = "class"
	KeywordsName = "keywords"
	IntentName   = "intent"
	HelpName     = "help"
)

// file is what a weights file holds.
type file[T any] struct {
	Card  card.Card `json:"card"`
	Model T         `json:"model"`
}

// Save writes each model's weights to dir, one gzipped JSON file a model. Equal
// models make equal files.
func (s *Set) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	cards := map[string]card.Card{}
	for _, c := range s.Cards {
		cards[c.Model] = c
	}
	return errors.Join(
		save(dir, MoodName, cards, struct{}{}),
		save(dir, TaggerName, cards, s.Tagger),
		save(dir, ClassName, cards, s.Class),
		save(dir, KeywordsName, cards, s.Keywords),
		save(dir, IntentName, cards, s.Intent),
		save(dir, HelpName, cards, s.Help),
	)
}

func save[T any](dir, name string, cards map[string]card.Card, model T) (err error) {
	out, err := os.Create(filepath.Join(dir, fileName(name)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	zip, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(zip).Encode(file[T]{cards[name], model}); err != nil {
		return err
	}
	return zip.Close()
}

func fileName(model string) string { return model + ".json.gz" }

// Load reads the weights that Save wrote. The lexicon of moods is no weight: it
// is given.
func Load(weights fs.FS, lexicon *mood.Lexicon) (*Set, error) {
	s := &Set{Mood: lexicon}
	if _, err := load[struct{}](s, weights, MoodName); err != nil {
		return nil, err
	}
	var errs [5]error
	s.Tagger, errs[0] = load[*tagger.Model](s, weights, TaggerName)
	s.Class, errs[1] = load[*class.Model](s, weights, ClassName)
	s.Keywords, errs[2] = load[*keywords.Model](s, weights, KeywordsName)
	s.Intent, errs[3] = load[*intent.Model](s, weights, IntentName)
	s.Help, errs[4] = load[*help.Model](s, weights, HelpName)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	s.Class.Mood = lexicon
	s.Class.Terms.Index()
	s.Intent.Terms.Index()
	s.Help.Index()
	return s, nil
}

func load[T any](s *Set, weights fs.FS, name string) (T, error) {
	var f file[T]
	in, err := weights.Open(fileName(name))
	if err != nil {
		return f.Model, fmt.Errorf("weights of %s: %w", name, err)
	}
	defer in.Close()
	zip, err := gzip.NewReader(in)
	if err == nil {
		err = json.NewDecoder(zip).Decode(&f)
	}
	if err != nil {
		return f.Model, fmt.Errorf("weights of %s: %w: train them anew with `go run ./examples/support/train`", name, err)
	}
	s.Cards = append(s.Cards, f.Card)
	return f.Model, nil
}
