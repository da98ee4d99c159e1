package tagger

// MostFrequent is the simplest tagger that learns anything: each word gets the
// tag it had most often, the first of the alphabet among equals, and a word
// never seen counts as a noun.
func MostFrequent(sentences []Sentence) Baseline {
	counts := map[string]map[string]int{}
	for _, s := range sentences {
		for _, w := range s {
			if counts[w.Word] == nil {
				counts[w.Word] = map[string]int{}
			}
			counts[w.Word][w.Tag]++
		}
	}
	b := Baseline{}
	for word, tags := range counts {
		best := ""
		for tag, n := range tags {
			if n > tags[best] || n == tags[best] && tag < best {
				best = tag
			}
		}
		b[word] = best
	}
	return b
}

// Baseline is a tag per word.
type Baseline map[string]string

// Accuracy is the share of words of gold sentences that get their gold tag.
func (b Baseline) Accuracy(gold []Sentence) float64 {
	right, total := 0, 0
	for _, s := range gold {
		for _, w := range s {
			tag, ok := b[w.Word]
			if !ok {
				tag = "NOUN"
			}
			total++
			if tag == w.Tag {
				right++
			}
		}
	}
	if total == 0 {
		return 0
	}
	return float64(right) / float64(total)
}
