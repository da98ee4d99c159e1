package protocol

import (
	"fmt"
	"strings"

	"github.com/leatdev/leat/test/tools"
)

// toolsTable is the account of Kafka's command line tools and its Admin client: how many
// of their command lines are compared, and which print something else, and why.
func toolsTable() (string, error) {
	scripts, err := tools.Scripts()
	if err != nil {
		return "", err
	}
	lines, calls, differ := 0, 0, 0
	classes := map[string]bool{}
	var reasons []string
	commands := map[string][]string{}
	for _, script := range scripts {
		for _, s := range script.Steps {
			switch s.Words[0] {
			case "do", "file":
				continue
			case "call":
				calls++
			default:
				lines++
				classes[s.Words[0]] = true
			}
			if len(s.Known) > 0 {
				differ++
			}
			for _, d := range s.Known {
				if commands[d.Because] == nil {
					reasons = append(reasons, d.Because)
				}
				commands[d.Because] = append(commands[d.Because], "`"+strings.TrimPrefix(s.Command, "call ")+"`")
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d command lines of %d tools and %d calls of the Admin client, which are all of its methods; %d of them print something else than on Kafka:\n\n", lines, len(classes), calls, differ)
	b.WriteString("| because | prints something else |\n|---|---|\n")
	for _, r := range reasons {
		fmt.Fprintf(&b, "| %s | %s |\n", r, strings.ReplaceAll(strings.Join(commands[r], ", "), "|", "\\|"))
	}
	return b.String(), nil
}
