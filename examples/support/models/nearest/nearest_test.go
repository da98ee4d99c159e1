package nearest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/leatdev/leat/examples/support/models/text"
)

func vector(pairs ...float32) text.Vector {
	var v text.Vector
	for i := 0; i < len(pairs); i += 2 {
		v.Indices, v.Values = append(v.Indices, int32(pairs[i])), append(v.Values, pairs[i+1])
	}
	return v
}

func TestNeighboursVoteBySquaredSimilarity(t *testing.T) {
	t.Parallel()
	ix := New([]text.Vector{vector(0, 1), vector(0, 0.6, 1, 0.8), vector(0, 0.6, 2, 0.8), vector(3, 1)}, []string{"twin", "cousin", "cousin", "far"})
	got := ""
	for _, v := range ix.Query(vector(0, 1), 3) {
		got += fmt.Sprintf("%s %.2f;", v.Label, v.Score)
	}
	if want := "twin 0.58;cousin 0.42;"; got != want { // 1 against 0.36+0.36
		t.Errorf("%s, want %s", got, want)
	}
	if got := ix.Query(vector(0, 1), 1); len(got) != 1 {
		t.Errorf("asked for one, got %v", got)
	}
	if got := ix.Query(vector(9, 1), 3); len(got) != 0 {
		t.Errorf("a vector that shares no term: %v", got)
	}
	if got := New(nil, nil).Query(vector(0, 1), 3); len(got) != 0 {
		t.Errorf("an empty index: %v", got)
	}
}

func TestClosest(t *testing.T) {
	t.Parallel()
	scores := []float32{0.1, 0.5, 0, 0.5, 0.9, -1, 0.2}
	for n, want := range map[int][]int{1: {4}, 3: {4, 1, 3}, 9: {4, 1, 3, 6, 0}} {
		if got := closest(scores, n); !slices.Equal(got, want) {
			t.Errorf("closest %d: %v, want %v", n, got, want)
		}
	}
}
