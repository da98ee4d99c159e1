package tools

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

//go:embed scripts
var scripts embed.FS

// Script is a file of scripts/: command lines that follow each other.
type Script struct {
	// Name is the file's, without its ending.
	Name  string
	Steps []Step
}

// Step is one command line, or one thing that is done for those that follow.
type Step struct {
	// Line is its number in the file.
	Line int
	// Command is as it stands there, Words are its parts.
	Command string
	Words   []string
	// Unordered says that the tool prints its lines in any order.
	Unordered bool
	// Known are the differences that there have to be.
	Known []Difference
}

// Difference is what the brokers make a tool print differently: for each of them the
// patterns of whole lines that only it has; and why it is so.
type Difference struct {
	Kafka, Leat []*regexp.Regexp
	Because     string
}

// Scripts reads all scripts. A file is made of
//
//	# a comment
//	TOOL ARGUMENTS              a class by its short name; 'quoted words'
//	unordered TOOL ARGUMENTS    the same, if the order of its lines is chance
//	do VERB ARGUMENTS           what Hands does (test/jvm)
//	call METHOD ARGUMENTS       a method of Java's Admin client, as Calls has it
//	file NAME TEXT              a file for the commands, which call it $DIR/NAME
//	  kafka: PATTERN            below a command: a line that only Kafka's answer has, or some,
//	  leat: PATTERN             one that only Leat's has,
//	  because: REASON           and why; it ends the difference
//
// $B in a command is the broker's address. Where there is none, the tool gets
// --bootstrap-server with it.
func Scripts() ([]Script, error) {
	names, err := fs.Glob(scripts, "scripts/*.txt")
	if err != nil {
		return nil, err
	}
	var all []Script
	for _, name := range names {
		text, err := scripts.ReadFile(name)
		if err != nil {
			return nil, err
		}
		steps, err := parse(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s:%w", name, err)
		}
		all = append(all, Script{strings.TrimSuffix(path.Base(name), ".txt"), steps})
	}
	return all, nil
}

func parse(text string) (steps []Step, err error) {
	for i, line := range strings.Split(text, "\n") {
		switch {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, " "):
			if len(steps) == 0 {
				return nil, fmt.Errorf("%d: a difference of no command", i+1)
			}
			step := &steps[len(steps)-1]
			if step.Known, err = differ(step.Known, strings.TrimSpace(line)); err != nil {
				return nil, fmt.Errorf("%d: %w", i+1, err)
			}
		default:
			s := Step{Line: i + 1}
			s.Command, s.Unordered = strings.CutPrefix(line, "unordered ")
			s.Words = split(s.Command)
			if _, ok := classes[s.Words[0]]; !ok && !slices.Contains([]string{"do", "call", "file"}, s.Words[0]) {
				return nil, fmt.Errorf("%d: no tool is called %s", i+1, s.Words[0])
			}
			steps = append(steps, s)
		}
	}
	for _, s := range steps {
		for _, d := range s.Known {
			if d.Because == "" || len(d.Kafka)+len(d.Leat) == 0 {
				return nil, fmt.Errorf("%d: a difference needs a pattern and a reason", s.Line)
			}
		}
	}
	return steps, nil
}

// differ adds a line to the differences: a reason ends one.
func differ(known []Difference, line string) ([]Difference, error) {
	kind, rest, ok := strings.Cut(line, ": ")
	if !ok {
		return nil, fmt.Errorf("%q begins with none of \"kafka:\", \"leat:\" and \"because:\" of a difference", line)
	}
	if len(known) == 0 || known[len(known)-1].Because != "" {
		known = append(known, Difference{})
	}
	d := &known[len(known)-1]
	switch kind {
	case "because":
		d.Because = rest
		return known, nil
	case "kafka", "leat":
		re, err := regexp.Compile("^(?:" + rest + ")$")
		if kind == "kafka" {
			d.Kafka = append(d.Kafka, re)
		} else {
			d.Leat = append(d.Leat, re)
		}
		return known, err
	}
	return nil, fmt.Errorf("%q begins with none of \"kafka:\", \"leat:\" and \"because:\" of a difference", line)
}

// split splits at spaces, but not within single quotes.
func split(line string) (words []string) {
	word, quoted, begun := "", false, false
	for _, c := range line {
		switch {
		case c == '\'':
			quoted, begun = !quoted, true
		case c == ' ' && !quoted:
			if begun {
				words = append(words, word)
			}
			word, begun = "", false
		default:
			word, begun = word+string(c), true
		}
	}
	if begun {
		words = append(words, word)
	}
	return words
}

// classes are the tools by the names that the scripts call them by.
var classes = map[string]string{
	"BrokerApiVersionsCommand":  "org.apache.kafka.tools.",
	"ClientMetricsCommand":      "org.apache.kafka.tools.",
	"ClusterTool":               "org.apache.kafka.tools.",
	"ConfigCommand":             "kafka.admin.",
	"ConsoleConsumer":           "org.apache.kafka.tools.consumer.",
	"ConsumerGroupCommand":      "org.apache.kafka.tools.consumer.group.",
	"DeleteRecordsCommand":      "org.apache.kafka.tools.",
	"FeatureCommand":            "org.apache.kafka.tools.",
	"GetOffsetShell":            "org.apache.kafka.tools.",
	"GroupsCommand":             "org.apache.kafka.tools.",
	"LeaderElectionCommand":     "org.apache.kafka.tools.",
	"LogDirsCommand":            "org.apache.kafka.tools.",
	"MetadataQuorumCommand":     "org.apache.kafka.tools.",
	"ReassignPartitionsCommand": "org.apache.kafka.tools.reassign.",
	"ShareGroupCommand":         "org.apache.kafka.tools.consumer.group.",
	"StreamsGroupCommand":       "org.apache.kafka.tools.streams.",
	"TopicCommand":              "org.apache.kafka.tools.",
	"TransactionsCommand":       "org.apache.kafka.tools.",
}

// call is the class of a step's tool and its arguments, for a broker and a folder.
func (s Step) call(addr, dir string) (class string, args []string) {
	switch s.Words[0] {
	case "do":
		return "Hands", slices.Insert(slices.Clone(s.Words[1:]), 1, addr)
	case "call":
		return "Calls", slices.Insert(slices.Clone(s.Words[1:]), 0, addr)
	}
	for _, w := range s.Words[1:] {
		w = strings.ReplaceAll(w, "$DIR", dir)
		args = append(args, strings.ReplaceAll(w, "$B", addr))
	}
	if !strings.Contains(s.Command, "$B") {
		args = append([]string{"--bootstrap-server", addr}, args...)
	}
	return classes[s.Words[0]] + s.Words[0], args
}
