package tools

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The parts of an answer that are a run's own, and what is put in their place.
var own = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`(^|[^\w.-])[\w-]{22}($|[^\w.-])`), "${1}ID${2}"},
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\dT[\d:.]+(Z|[+-][\d:]+)?`), "TIME"},
	{regexp.MustCompile(`\b1[6-9]\d{11}\b`), "TIME"},
	{regexp.MustCompile(`[ \t]+`), " "},
}

// plain is an answer without what is a run's own: addresses, ids, times, and the
// widths of columns, which follow from these.
func plain(lines []string, addr, dir string) (out []string) {
	_, port, _ := strings.Cut(addr, ":")
	for _, l := range lines {
		l = strings.ReplaceAll(l, addr, "BROKER")
		l = strings.ReplaceAll(l, dir, "DIR")
		l = regexp.MustCompile(`\b`+port+`\b`).ReplaceAllString(l, "PORT")
		for _, o := range own {
			l = o.what.ReplaceAllString(l, o.with)
		}
		out = append(out, strings.TrimSpace(l))
	}
	return out
}

// only are the lines that only one of two texts has, by their longest common
// subsequence.
func only(a, b []string) (onlyA, onlyB []string) {
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			onlyA = append(onlyA, a[i])
			i++
		default:
			onlyB = append(onlyB, b[j])
			j++
		}
	}
	return append(onlyA, a[i:]...), append(onlyB, b[j:]...)
}

// compare tells what is wrong with two answers of which the differences are known:
// lines that nobody expects to differ, and differences that are no more.
func (s Step) compare(kafka, leat []string) (wrong []string) {
	if s.Unordered {
		kafka, leat = slices.Sorted(slices.Values(kafka)), slices.Sorted(slices.Values(leat))
	}
	onlyKafka, onlyLeat := only(kafka, leat)
	check := func(name string, lines []string, pattern func(Difference) *regexp.Regexp) {
		seen := make([]bool, len(s.Known))
		for _, line := range lines {
			at := slices.IndexFunc(s.Known, func(d Difference) bool { p := pattern(d); return p != nil && p.MatchString(line) })
			if at < 0 {
				wrong = append(wrong, fmt.Sprintf("only %s: %s", name, line))
				continue
			}
			seen[at] = true
		}
		for i, d := range s.Known {
			if p := pattern(d); p != nil && !seen[i] {
				wrong = append(wrong, fmt.Sprintf("no longer only %s (it was because %s): %s", name, d.Because, p))
			}
		}
	}
	check("kafka", onlyKafka, func(d Difference) *regexp.Regexp { return d.kafka })
	check("leat", onlyLeat, func(d Difference) *regexp.Regexp { return d.leat })
	return wrong
}
