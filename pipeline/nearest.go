package pipeline

import (
	"slices"
	"strings"
)

// nearest returns the known name with the smallest edit distance to name, or ""
// when none is near enough to be what was meant.
func nearest(name string, known []string) string {
	if len(name) < 3 {
		return "" // everything is near to a name of one letter
	}
	best, dist := "", max(1, len(name)/3)+1
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < dist {
			best, dist = k, d
		}
	}
	return best
}

// meant is the end of a message about an unknown name: the nearest known name,
// else the known names if they are few.
func meant(name string, known []string) string {
	known = slices.Compact(slices.Sorted(slices.Values(known)))
	if n := nearest(name, known); n != "" {
		return "; did you mean " + quote(n) + "?"
	}
	switch {
	case len(known) == 0:
		return ""
	case len(known) <= 12:
		return "; known: " + strings.Join(known, ", ")
	}
	return ""
}

func quote(s string) string { return "`" + s + "`" }

// distance is the Damerau-Levenshtein distance (optimal string alignment):
// insertions, deletions, substitutions and swaps of neighbours count one each.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	var before []int
	last := make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row := make([]int, len(y)+1)
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(y)]
}
