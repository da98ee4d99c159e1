package tagger

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Rounds is how often training reads the sentences.
const Rounds = 8

// A word that was seen knownMin times with one tag in knownShare of them is not
// scored any more.
const (
	knownMin   = 20
	knownShare = 0.99
)

// precision is what averaged weights are multiplied by before they are rounded
// to whole numbers.
const precision = 100

// Train learns from tagged sentences. The same sentences make the same model.
func Train(sentences []Sentence) *Model {
	t := &trainer{rows: map[string]int{}, tags: tagsOf(sentences), known: knownOf(sentences)}
	prepared := make([]*example, len(sentences))
	for i, s := range sentences {
		prepared[i] = t.prepare(s)
	}
	rng := rand.New(rand.NewPCG(7, 7))
	for range Rounds {
		rng.Shuffle(len(prepared), func(i, j int) { prepared[i], prepared[j] = prepared[j], prepared[i] })
		for _, e := range prepared {
			t.read(e)
		}
	}
	return t.model()
}

func tagsOf(sentences []Sentence) []string {
	set := map[string]bool{}
	for _, s := range sentences {
		for _, w := range s {
			set[w.Tag] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

func knownOf(sentences []Sentence) map[string]string {
	counts := map[string]map[string]int{}
	for _, s := range sentences {
		for _, w := range s {
			lower := normal(w.Word)
			if counts[lower] == nil {
				counts[lower] = map[string]int{}
			}
			counts[lower][w.Tag]++
		}
	}
	known := map[string]string{}
	for word, tags := range counts {
		total := 0
		for _, n := range tags {
			total += n
		}
		for tag, n := range tags {
			if total >= knownMin && float64(n) >= knownShare*float64(total) {
				known[word] = tag
			}
		}
	}
	return known
}

// trainer is the state of a running training. Features are rows; per row there
// are len(tags) weights.
type trainer struct {
	tags  []string
	known map[string]string
	rows  map[string]int
	w     []int // current weights
	sum   []int // sums of weights over steps, complete up to `since`
	since []int
	steps int
}

// example is a sentence with its static features looked up once.
type example struct {
	ctx    *context
	gold   []int
	static [][]int
	known  []bool
}

func (t *trainer) prepare(s Sentence) *example {
	words := make([]string, len(s))
	for i, w := range s {
		words[i] = w.Word
	}
	e := &example{ctx: newContext(words), gold: make([]int, len(s)), static: make([][]int, len(s)), known: make([]bool, len(s))}
	for i, w := range s {
		e.gold[i], _ = slices.BinarySearch(t.tags, w.Tag)
		_, e.known[i] = t.known[e.ctx.lower[i]]
		e.static[i] = t.rowsOf(nil, e.ctx.static(i))
	}
	return e
}

func (t *trainer) rowsOf(rows []int, features []string) []int {
	for _, f := range features {
		row, ok := t.rows[f]
		if !ok {
			row = len(t.rows)
			t.rows[f] = row
			zero := make([]int, len(t.tags))
			t.w, t.sum, t.since = append(t.w, zero...), append(t.sum, zero...), append(t.since, zero...)
		}
		rows = append(rows, row)
	}
	return rows
}

// read tags one sentence as Model.TagWords would and corrects the weights after
// each mistake.
func (t *trainer) read(e *example) {
	k := len(t.tags)
	prev, prev2 := start, start
	scores := make([]int, k)
	rows := make([]int, 0, 32)
	for i, gold := range e.gold {
		guess := gold
		if e.known[i] {
			guess, _ = slices.BinarySearch(t.tags, t.known[e.ctx.lower[i]])
		} else {
			rows = t.rowsOf(append(rows[:0], e.static[i]...), e.ctx.dynamic(i, prev, prev2))
			clear(scores)
			for _, row := range rows {
				for c, w := range t.w[row*k : row*k+k] {
					scores[c] += w
				}
			}
			guess = slices.Index(scores, slices.Max(scores))
			t.steps++
			if guess != gold {
				for _, row := range rows {
					t.add(row*k+gold, 1)
					t.add(row*k+guess, -1)
				}
			}
		}
		prev2, prev = prev, t.tags[guess]
	}
}

// add moves a weight; its sum is brought up to date first.
func (t *trainer) add(i, by int) {
	t.sum[i] += (t.steps - 1 - t.since[i]) * t.w[i]
	t.since[i] = t.steps - 1
	t.w[i] += by
}

func (t *trainer) model() *Model {
	m := &Model{Tags: t.tags, Known: t.known, Weights: map[string][]int{}}
	k := len(t.tags)
	for feature, row := range t.rows {
		var pairs []int
		for c := range k {
			i := row*k + c
			total := t.sum[i] + (t.steps-t.since[i])*t.w[i]
			if w := rounded(total*precision, max(t.steps, 1)); w != 0 {
				pairs = append(pairs, c, w)
			}
		}
		if pairs != nil {
			m.Weights[feature] = pairs
		}
	}
	return m
}

// rounded is a/b to the nearest whole number, halves away from zero.
func rounded(a, b int) int {
	if a < 0 {
		return -rounded(-a, b)
	}
	return (a + b/2) / b
}
