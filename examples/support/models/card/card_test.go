package card

import (
	"math"
	"testing"
)

func TestMeasures(t *testing.T) {
	t.Parallel()
	gold, guess := []string{"a", "a", "a", "b"}, []string{"a", "a", "c", "a"}
	// a: 2 hits of 3 wanted and 3 got: 2/3; b: no hit.
	for what, pair := range map[string][2]float64{
		"accuracy":         {Accuracy(gold, guess), 0.5},
		"macro-F1":         {MacroF1(gold, guess), 1.0 / 3},
		"F1":               {F1(2, 3, 5), 0.5},
		"F1 of nothing":    {F1(0, 0, 0), 0},
		"accuracy of none": {Accuracy(nil, nil), 0},
		"macro-F1 of none": {MacroF1(nil, nil), 0},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-9 {
			t.Errorf("%s: %v, want %v", what, pair[0], pair[1])
		}
	}
	if got := Commonest([]string{"b", "a", "b", "a", "c"}); got != "a" {
		t.Errorf("commonest: %q", got)
	}
}

func TestCardIsOneLine(t *testing.T) {
	t.Parallel()
	c := Card{Model: "m", Data: "d", Licence: "l", Measure: "accuracy", Score: 0.9, Examples: 10, Baseline: 0.5, BaselineIs: "b"}
	if got, want := c.String(), "m: d (l); accuracy 0.900 on 10 held-out examples, baseline 0.500 (b)"; got != want {
		t.Errorf("%s", got)
	}
}
