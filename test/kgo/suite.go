// Package kgo runs the tests that franz-go ships with its client against a leat
// process, unchanged, as they lie in the module cache.
package kgo

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed suite.txt
var suiteFile string

// Suite is what the tests are expected to do.
type Suite struct {
	Version string
	Passed  int
	// Without are not started, Skipped skip themselves: reasons by name, and
	// the names in the file's order.
	Without, Skipped []Absent
}

// Absent is a test that says nothing about the broker, and why.
type Absent struct{ Name, Reason string }

// Expected reads suite.txt.
func Expected() (Suite, error) {
	var s Suite
	for i, line := range strings.Split(suiteFile, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		kind, rest, _ := strings.Cut(line, " ")
		name, reason, _ := strings.Cut(rest, " ")
		var err error
		switch kind {
		case "version":
			s.Version = name
		case "passed":
			s.Passed, err = strconv.Atoi(name)
		case "without":
			s.Without = append(s.Without, Absent{name, reason})
		case "skipped":
			s.Skipped = append(s.Skipped, Absent{name, reason})
		default:
			err = fmt.Errorf("%q is none of version, passed, without, skipped", kind)
		}
		if err == nil && (kind == "without" || kind == "skipped") && reason == "" {
			err = fmt.Errorf("%s has no reason", name)
		}
		if err != nil {
			return Suite{}, fmt.Errorf("suite.txt:%d: %w", i+1, err)
		}
	}
	return s, nil
}
