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
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "ID"},
	{regexp.MustCompile(`(member-\w)-[\w-]{22}\b`), "${1}-ID"}, // of a member of Hands
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\dT[\d:.]+(Z|[+-][\d:]+)?`), "TIME"},
	{regexp.MustCompile(`\b1[6-9]\d{11}\b`), "TIME"},
	{regexp.MustCompile(`leaderEpoch=Optional\[\d+\]`), "leaderEpoch=EPOCH"}, // of a leader that is always the same
	{regexp.MustCompile(`producerId=\d+`), "producerId=PRODUCER"},
	{regexp.MustCompile(`[ \t]+`), " "},
	// A transaction's producer id and how long it has lasted, in the tables of TransactionsCommand.
	{regexp.MustCompile(`^((?:1 )?tx-\d(?: 1)?) \d+ `), "${1} PRODUCER "},
	{regexp.MustCompile(`(60000 TIME) \d+`), "${1} SOME"},
	{regexp.MustCompile(`^\d+ (\d+ -?\d+ -?\d+ TIME)`), "PRODUCER ${1}"},
}

// An id is a word of 22 letters as Java prints it, but for the names that are as long.
var (
	word = regexp.MustCompile(`[\w.$()-]+`)
	name = regexp.MustCompile(`^(([A-Z][a-z]{2,})+|[A-Z_]+|[a-z_.-]+)$`)
)

// console is the name that ConsoleConsumer makes for its group.
var console = regexp.MustCompile(`console-consumer-\d+`)

// trace is a line of a Java program's stack, which is not what the broker said.
var trace = regexp.MustCompile(`^\s*(at [\w.$/<>]+\(.*\)|\.\.\. \d+ more)$`)

// broker is one of the two: where it listens, and its data directory.
type broker struct{ addr, data string }

// plain is an answer without what is a run's own: addresses, ids, times, and the
// widths of columns, which follow from these; and without empty lines. dir is the command's folder.
func (b broker) plain(lines []string, dir string) (out []string) {
	_, port, _ := strings.Cut(b.addr, ":")
	for _, l := range lines {
		if trace.MatchString(l) {
			continue
		}
		l = strings.ReplaceAll(l, b.addr, "BROKER")
		l = strings.ReplaceAll(l, b.data, "DATA")
		l = strings.ReplaceAll(l, dir, "DIR")
		l = regexp.MustCompile(`\b`+port+`\b`).ReplaceAllString(l, "PORT")
		l = console.ReplaceAllString(l, "console-consumer")
		l = word.ReplaceAllStringFunc(l, func(w string) string {
			if len(w) != 22 || name.MatchString(w) {
				return w
			}
			return "ID"
		})
		for _, o := range own {
			l = o.what.ReplaceAllString(l, o.with)
		}
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
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
	check := func(name string, lines []string, patterns func(Difference) []*regexp.Regexp) {
		seen := map[*regexp.Regexp]bool{}
		for _, line := range lines {
			known := false
			for _, d := range s.Known {
				for _, p := range patterns(d) {
					if !known && p.MatchString(line) {
						known, seen[p] = true, true
					}
				}
			}
			if !known {
				wrong = append(wrong, fmt.Sprintf("only %s: %s", name, line))
			}
		}
		for _, d := range s.Known {
			for _, p := range patterns(d) {
				if !seen[p] {
					wrong = append(wrong, fmt.Sprintf("no longer only %s (it was because %s): %s", name, d.Because, p))
				}
			}
		}
	}
	check("kafka", onlyKafka, func(d Difference) []*regexp.Regexp { return d.Kafka })
	check("leat", onlyLeat, func(d Difference) []*regexp.Regexp { return d.Leat })
	return wrong
}
