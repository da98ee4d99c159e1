// Package nearest finds the labelled texts that are closest to a new one and
// lets them vote for their labels: k nearest neighbours by cosine.
package nearest

import (
	"cmp"
	"slices"

	"github.com/leatdev/leat/examples/support/models/text"
)

// Neighbours is how many of the closest texts vote.
const Neighbours = 15

// Index holds labelled vectors, term by term. Read only once built; safe for
// concurrent use.
type Index struct {
	labels   []string // of each text
	postings map[int32][]posting
}

type posting struct {
	text  int32
	value float32
}

// Vote is a label and its share of the neighbours' similarity, in [0, 1].
type Vote struct {
	Label string
	Score float64
}

// New indexes vectors (of length 1) with their labels; len(labels) must be
// len(xs).
func New(xs []text.Vector, labels []string) *Index {
	ix := &Index{labels: labels, postings: map[int32][]posting{}}
	for i, x := range xs {
		for j, t := range x.Indices {
			ix.postings[t] = append(ix.postings[t], posting{int32(i), x.Values[j]})
		}
	}
	return ix
}

// Query returns up to top labels for a vector, the likeliest first; none when
// it shares no term with any text. Similarities are squared before they vote,
// so that one near-twin outweighs several distant cousins.
func (ix *Index) Query(x text.Vector, top int) []Vote {
	scores := make([]float32, len(ix.labels))
	for j, t := range x.Indices {
		for _, p := range ix.postings[t] {
			scores[p.text] += x.Values[j] * p.value
		}
	}
	near := closest(scores, Neighbours)
	byLabel, total := map[string]float64{}, 0.0
	for _, i := range near {
		s := float64(scores[i]) * float64(scores[i])
		byLabel[ix.labels[i]] += s
		total += s
	}
	votes := make([]Vote, 0, len(byLabel))
	for label, s := range byLabel {
		votes = append(votes, Vote{label, s / total})
	}
	slices.SortFunc(votes, func(a, b Vote) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Label, b.Label))
	})
	return votes[:min(top, len(votes))]
}

// closest are the places of the n highest scores above 0, the highest first,
// the earlier place first among equals.
func closest(scores []float32, n int) []int {
	near := make([]int, 0, n+1)
	for i, s := range scores {
		if s <= 0 || (len(near) == n && s <= scores[near[n-1]]) {
			continue
		}
		at := len(near)
		for at > 0 && scores[near[at-1]] < s {
			at--
		}
		near = slices.Insert(near, at, i)
		near = near[:min(n, len(near))]
	}
	return near
}
