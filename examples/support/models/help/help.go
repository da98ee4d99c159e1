// Package help finds the checklists that fit a message: an embedding step turns
// the text into a TF-IDF vector, a second step lets the nearest labelled texts
// vote. The two share one vocabulary, so their weights are one file.
package help

import (
	"github.com/leatdev/leat/examples/support/models/nearest"
	"github.com/leatdev/leat/examples/support/models/text"
)

// Top is how many checklists are suggested.
const Top = 3

// Model is the labelled texts with their vectors. Read only once Index has
// run; safe for concurrent use.
type Model struct {
	Terms   *text.TFIDF   `json:"terms"`
	Vectors []text.Vector `json:"vectors"`
	Labels  []string      `json:"labels"`

	index *nearest.Index
}

// Train remembers labels[i] for texts[i].
func Train(texts, labels []string) *Model {
	docs := make([][]string, len(texts))
	for i, t := range texts {
		docs[i] = text.Terms(t)
	}
	m := &Model{Terms: text.Fit(docs, 1), Labels: labels}
	for _, d := range docs {
		m.Vectors = append(m.Vectors, m.Terms.Vector(d))
	}
	m.Index()
	return m
}

// Index prepares a model that was decoded rather than trained.
func (m *Model) Index() {
	m.Terms.Index()
	m.index = nearest.New(m.Vectors, m.Labels)
}

// Embed is the vector of a message: as many dimensions as there are terms, all
// but a few of them 0.
func (m *Model) Embed(message string) text.Vector { return m.Terms.Vector(text.Terms(message)) }

// Dimensions is the length of the vectors that Embed makes.
func (m *Model) Dimensions() int { return len(m.Terms.Terms) }

// Nearest names up to Top labels for a vector, the likeliest first; none for a
// message of unknown words only.
func (m *Model) Nearest(v text.Vector) []nearest.Vote { return m.index.Query(v, Top) }
