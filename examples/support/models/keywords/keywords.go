// Package keywords finds which products and features a message speaks of. The
// tags say where the noun phrases are; logistic regression over each phrase, its
// surroundings and the catalogue of products says which of them name one.
package keywords

import (
	"slices"

	"github.com/leatdev/leat/examples/support/models/linear"
	"github.com/leatdev/leat/examples/support/models/tagger"
	"github.com/leatdev/leat/examples/support/models/text"
)

// Keyword is a product or feature as the message spells it, in lower case, and
// the probability that it is one.
type Keyword struct {
	Name  string  `json:"name"`
	Score float64 `json:"score"`
}

// Example is a tagged message with the products it names, in lower case as the
// text spells them.
type Example struct {
	Text     string
	Tags     tagger.Sentence
	Products []string
}

// Model is a trained model. Read only; safe for concurrent use.
type Model struct {
	// Catalogue are the names of products, normal and sorted.
	Catalogue []string      `json:"catalogue"`
	Features  []string      `json:"features"` // sorted
	Linear    *linear.Model `json:"linear"`
}

const (
	yes = "yes"
	no  = "no"
	// threshold is the least probability of a keyword that is reported.
	threshold = 0.5
)

var options = linear.Options{Epochs: 12, Rate: 0.3, L2: 1e-4}

// Train learns from examples, with the names of the catalogue. One whose tags are not those of its text is an
// error.
func Train(examples []Example, catalogue []string) (*Model, error) {
	m := &Model{}
	for _, name := range catalogue {
		m.Catalogue = append(m.Catalogue, normal(name))
	}
	slices.Sort(m.Catalogue)
	var all [][]string
	var labels []string
	for _, e := range examples {
		spans, err := spansOf(e.Text, e.Tags)
		if err != nil {
			return nil, err
		}
		for _, group := range spans {
			for _, s := range group {
				label := no
				if slices.Contains(e.Products, s.name) {
					label = yes
				}
				all, labels = append(all, m.features(e.Tags, s)), append(labels, label)
			}
		}
	}
	for _, f := range all {
		m.Features = append(m.Features, f...)
	}
	slices.Sort(m.Features)
	m.Features = slices.Compact(m.Features)
	xs := make([]text.Vector, len(all))
	for i, f := range all {
		xs[i] = m.vector(f)
	}
	m.Linear = linear.Fit(xs, labels, len(m.Features), options)
	return m, nil
}

// Find names the products of a message, in the order of the text, each once.
// Tags that are not those of the text are an error.
func (m *Model) Find(message string, tags tagger.Sentence) ([]Keyword, error) {
	spans, err := spansOf(message, tags)
	if err != nil {
		return nil, err
	}
	found := []Keyword{}
	at := slices.Index(m.Linear.Labels, yes)
	if at < 0 {
		return found, nil
	}
	for _, group := range spans {
		best := Keyword{Score: threshold}
		for _, s := range group { // the longest first
			if p := m.Linear.Probabilities(m.vector(m.features(tags, s)))[at]; p > best.Score {
				best = Keyword{s.name, p}
			}
		}
		named := slices.ContainsFunc(found, func(k Keyword) bool { return k.Name == best.Name })
		if best.Name != "" && !named {
			found = append(found, best)
		}
	}
	return found, nil
}

func (m *Model) vector(features []string) text.Vector {
	var v text.Vector
	for _, f := range features {
		if i, ok := slices.BinarySearch(m.Features, f); ok {
			v.Indices = append(v.Indices, int32(i))
		}
	}
	slices.Sort(v.Indices)
	v.Indices = slices.Compact(v.Indices)
	for range v.Indices {
		v.Values = append(v.Values, 0.5)
	}
	return v
}
