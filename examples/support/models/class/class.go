// Package class tells what the writer of a message wants: help, to pay a
// compliment, to complain, or something else. Logistic regression over the
// words of the text and over signals from its tags and its mood; the signals
// are what carries over to messages about things it never saw.
package class

import (
	"maps"
	"slices"

	"github.com/leatdev/leat/examples/support/models/linear"
	"github.com/leatdev/leat/examples/support/models/mood"
	"github.com/leatdev/leat/examples/support/models/tagger"
	"github.com/leatdev/leat/examples/support/models/text"
)

// Class is the name of a class and its probability.
type Class struct {
	Name  string  `json:"name"`
	Score float64 `json:"score"`
}

// The names of the classes.
const (
	Help       = "help"
	Compliment = "compliment"
	Complaint  = "complaint"
	Other      = "other"
)

// Example is a tagged message with its class.
type Example struct {
	Text  string
	Tags  tagger.Sentence
	Class string
}

// Model is a trained model with the lexicon that it takes the mood from. Read
// only; safe for concurrent use.
type Model struct {
	Terms   *text.TFIDF   `json:"terms"`
	Signals []string      `json:"signals"` // sorted
	Linear  *linear.Model `json:"linear"`

	// Mood is not part of the weights; whoever decodes a Model sets it.
	Mood *mood.Lexicon `json:"-"`
}

// signalWeight is the value of a signal beside a text vector of length 1.
const signalWeight = 0.5

var options = linear.Options{Epochs: 15, Rate: 0.2, L2: 1e-4}

// Train learns from examples.
func Train(examples []Example, lexicon *mood.Lexicon) *Model {
	m := &Model{Mood: lexicon}
	docs := make([][]string, len(examples))
	found := map[string]bool{}
	for i, e := range examples {
		docs[i] = text.Terms(e.Text)
		for _, s := range signals(e.Text, e.Tags, lexicon) {
			found[s] = true
		}
	}
	m.Terms = text.Fit(docs, 2)
	m.Signals = slices.Sorted(maps.Keys(found))
	xs, labels := make([]text.Vector, len(examples)), make([]string, len(examples))
	for i, e := range examples {
		xs[i], labels[i] = m.vector(e.Text, e.Tags), e.Class
	}
	m.Linear = linear.Fit(xs, labels, len(m.Terms.Terms)+len(m.Signals), options)
	return m
}

// Predict names the likeliest class of a message.
func (m *Model) Predict(message string, tags tagger.Sentence) Class {
	name, p := m.Linear.Best(m.vector(message, tags))
	return Class{name, p}
}

// vector is the text's vector with the signals after its terms.
func (m *Model) vector(message string, tags tagger.Sentence) text.Vector {
	v := m.Terms.Vector(text.Terms(message))
	var found []int32
	for _, s := range signals(message, tags, m.Mood) {
		if i, ok := slices.BinarySearch(m.Signals, s); ok {
			found = append(found, int32(len(m.Terms.Terms)+i))
		}
	}
	slices.Sort(found)
	for _, i := range slices.Compact(found) {
		v.Indices = append(v.Indices, i)
		v.Values = append(v.Values, signalWeight)
	}
	return v
}
