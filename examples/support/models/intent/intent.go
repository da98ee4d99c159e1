// Package intent tells what a message is about: one of the labels it was
// trained with (the 77 intents of BANKING77, or the example's own checklists),
// by TF-IDF and multinomial logistic regression.
package intent

import (
	"github.com/leatdev/leat/examples/support/models/linear"
	"github.com/leatdev/leat/examples/support/models/text"
)

// Intent is a label and its probability.
type Intent struct {
	Name  string  `json:"name"`
	Score float64 `json:"score"`
}

// Model is a trained model. Read only; safe for concurrent use.
type Model struct {
	Terms  *text.TFIDF   `json:"terms"`
	Linear *linear.Model `json:"linear"`
}

// Epochs and rate were chosen on a fifth of BANKING77's training part that was
// kept out of the fit (0.889 there).
var options = linear.Options{Epochs: 10, Rate: 0.2}

// Train learns labels[i] from texts[i].
func Train(texts, labels []string) *Model {
	docs := make([][]string, len(texts))
	for i, t := range texts {
		docs[i] = text.Terms(t)
	}
	terms := text.Fit(docs, 1)
	xs := make([]text.Vector, len(docs))
	for i, d := range docs {
		xs[i] = terms.Vector(d)
	}
	return &Model{Terms: terms, Linear: linear.Fit(xs, labels, len(terms.Terms), options)}
}

// Predict names the likeliest intent of a message.
func (m *Model) Predict(message string) Intent {
	name, p := m.Linear.Best(m.Terms.Vector(text.Terms(message)))
	return Intent{name, p}
}
