package protocol

import (
	"fmt"
	"slices"
	"strings"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/test/divergence"
)

// differsTable is what requests do or get otherwise than from Kafka.
func differsTable() (string, error) {
	var b strings.Builder
	b.WriteString("| API | what | Kafka 4.3.1 | Leat | because | shown by |\n|---|---|---|---|---|---|\n")
	list := slices.Clone(divergence.OnTheWire)
	slices.SortStableFunc(list, func(a, b divergence.Wire) int { return int(a.Key) - int(b.Key) })
	for _, d := range list {
		row, ok := kafka.VersionsOf(d.Key)
		if !ok {
			return "", fmt.Errorf("the list of divergences: %q is about key %d, which is not served", d.What, d.Key)
		}
		fmt.Fprintf(&b, "| %s (%d) | %s | %s | %s | %s | `%s` |\n", row.Name, d.Key, d.What, d.Kafka, d.Leat, d.Because, d.Case)
	}
	return b.String(), nil
}

// rostersTable is what the lists of names have otherwise than Kafka's; the keys that
// are missing have a table of their own.
func rostersTable() string {
	var b strings.Builder
	b.WriteString("| list | how | names | because |\n|---|---|---|---|\n")
	for _, r := range divergence.InRosters {
		if r.List == "api" && r.How == "missing" {
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.List, r.How, shortened(r.Each()), r.Because)
	}
	fmt.Fprintf(&b, "| broker config | missing | all others that `configs.md` does not describe | %s |\n", divergence.Inert)
	return b.String()
}

// shortened names many configs by the first part that they share.
func shortened(names []string) string {
	if len(names) <= 10 {
		return "`" + strings.Join(names, "`, `") + "`"
	}
	count := map[string]int{}
	var parts []string
	for _, n := range names {
		part, _, _ := strings.Cut(n, ".")
		if count[part]++; count[part] == 1 {
			parts = append(parts, part)
		}
	}
	for i, p := range parts {
		parts[i] = fmt.Sprintf("%d of `%s.*`", count[p], p)
	}
	return strings.Join(parts, ", ")
}
