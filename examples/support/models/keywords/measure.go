package keywords

import (
	"slices"

	"github.com/leatdev/leat/examples/support/models/card"
)

// F1 is the micro-averaged F1 of the keywords found in examples: a keyword
// counts when it is spelt exactly as one of the example's products.
func (m *Model) F1(examples []Example) (float64, error) {
	hit, want, got := 0, 0, 0
	for _, e := range examples {
		found, err := m.Find(e.Text, e.Tags)
		if err != nil {
			return 0, err
		}
		want += len(e.Products)
		got += len(found)
		for _, k := range found {
			if slices.Contains(e.Products, k.Name) {
				hit++
			}
		}
	}
	return card.F1(hit, want, got), nil
}

// EveryNoun is the F1 of the simplest finder that uses tags: each noun phrase,
// without its adjectives, is a keyword.
func EveryNoun(examples []Example) (float64, error) {
	hit, want, got := 0, 0, 0
	for _, e := range examples {
		groups, err := spansOf(e.Text, e.Tags)
		if err != nil {
			return 0, err
		}
		want += len(e.Products)
		var seen []string
		for _, group := range groups {
			for _, s := range group {
				if e.Tags[s.from].Tag == "ADJ" || slices.Contains(seen, s.name) {
					continue
				}
				seen = append(seen, s.name)
				got++
				if slices.Contains(e.Products, s.name) {
					hit++
				}
				break
			}
		}
	}
	return card.F1(hit, want, got), nil
}
