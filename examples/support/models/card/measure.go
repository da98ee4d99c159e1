package card

// Accuracy is the share of pairs of a gold label and a guess that are equal; 0
// for none.
func Accuracy(gold, guess []string) float64 {
	right := 0
	for i := range gold {
		if gold[i] == guess[i] {
			right++
		}
	}
	return ratio(right, len(gold))
}

// MacroF1 is the mean of the F1 of each label that gold has.
func MacroF1(gold, guess []string) float64 {
	hit, want, got := map[string]int{}, map[string]int{}, map[string]int{}
	for i := range gold {
		want[gold[i]]++
		got[guess[i]]++
		if gold[i] == guess[i] {
			hit[gold[i]]++
		}
	}
	sum := 0.0
	for label, n := range want {
		sum += F1(hit[label], n, got[label])
	}
	if len(want) == 0 {
		return 0
	}
	return sum / float64(len(want))
}

// F1 is the harmonic mean of precision (hit/got) and recall (hit/want); 0 when
// nothing was hit.
func F1(hit, want, got int) float64 { return ratio(2*hit, want+got) }

// Commonest is the label that is most frequent, the first in the alphabet among
// equals: the guess of the simplest model.
func Commonest(labels []string) string {
	counts := map[string]int{}
	best := ""
	for _, l := range labels {
		counts[l]++
	}
	for l, n := range counts {
		if n > counts[best] || n == counts[best] && l < best {
			best = l
		}
	}
	return best
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
