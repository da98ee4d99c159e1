// Package tagger gives each word of a message its part of speech, in the 17
// universal tags of Universal Dependencies
// (https://universaldependencies.org/u/pos/), by an averaged perceptron that
// reads from left to right (Collins 2002, "Discriminative Training Methods for
// Hidden Markov Models").
//
// Weights are whole numbers, so that the twin in ../../python/tagger.py adds up
// to exactly the same scores.
package tagger

import (
	"slices"

	"github.com/leatdev/leat/examples/support/models/text"
)

// Word is a word of a message with its tag.
type Word struct {
	Word string `json:"word"`
	Tag  string `json:"tag"`
}

// Sentence is a list of words in order.
type Sentence []Word

// Model is a trained tagger. Read only; safe for concurrent use.
type Model struct {
	// Tags are the tags it knows, sorted.
	Tags []string `json:"tags"`
	// Known are the frequent words (lower case) that have one tag only; no
	// score is asked for them.
	Known map[string]string `json:"known"`
	// Weights are per feature pairs of a tag's index and a weight, flat:
	// [tag, weight, tag, weight, ...].
	Weights map[string][]int `json:"weights"`
}

// Tag cuts a message into words (text.Tokens) and tags them.
func (m *Model) Tag(message string) Sentence { return m.TagWords(text.Tokens(message)) }

// TagWords tags words that are cut already. A model without tags leaves them
// empty.
func (m *Model) TagWords(words []string) Sentence {
	out := make(Sentence, len(words))
	ctx := newContext(words)
	prev, prev2 := start, start
	for i, w := range words {
		tag, ok := m.Known[ctx.lower[i]]
		if !ok {
			tag = m.best(ctx, i, prev, prev2)
		}
		out[i] = Word{w, tag}
		prev2, prev = prev, tag
	}
	return out
}

func (m *Model) best(ctx *context, i int, prev, prev2 string) string {
	if len(m.Tags) == 0 {
		return ""
	}
	scores := make([]int, len(m.Tags))
	for _, feature := range append(ctx.static(i), ctx.dynamic(i, prev, prev2)...) {
		row := m.Weights[feature]
		for j := 0; j+1 < len(row); j += 2 {
			scores[row[j]] += row[j+1]
		}
	}
	best := slices.Max(scores) // the first of equals
	return m.Tags[slices.Index(scores, best)]
}

// Accuracy is the share of words of gold sentences that get their gold tag.
func (m *Model) Accuracy(gold []Sentence) float64 {
	right, total := 0, 0
	for _, s := range gold {
		words := make([]string, len(s))
		for i, w := range s {
			words[i] = w.Word
		}
		for i, w := range m.TagWords(words) {
			total++
			if w.Tag == s[i].Tag {
				right++
			}
		}
	}
	if total == 0 {
		return 0
	}
	return float64(right) / float64(total)
}
