// Package suite keeps account of test suites that others wrote and that run
// unchanged against Leat: every test of such a suite passes, or stands in a list
// with the reason why it does not.
package suite

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Suite is what the tests of somebody's suite are expected to do.
type Suite struct {
	// Version is the version of the module that they are taken from.
	Version string
	// Passed is how many tests at the top level pass, no more and no fewer.
	Passed int
	// Without are not started, Skipped skip themselves, Failed are started and
	// fail, subtests and the test around them: in the list's order.
	Without, Skipped, Failed []Absent
}

// Absent is a test that does not pass, and why.
type Absent struct{ Name, Reason string }

// Parse reads a list; name is what errors call it. A line is one of
//
//	version V
//	passed N
//	without NAME REASON
//	skipped NAME REASON
//	failed NAME REASON
func Parse(name, text string) (Suite, error) {
	var s Suite
	for i, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		kind, rest, _ := strings.Cut(line, " ")
		test, reason, _ := strings.Cut(rest, " ")
		a := Absent{test, reason}
		var err error
		switch kind {
		case "version":
			s.Version = test
		case "passed":
			s.Passed, err = strconv.Atoi(test)
		case "without":
			s.Without = append(s.Without, a)
		case "skipped":
			s.Skipped = append(s.Skipped, a)
		case "failed":
			s.Failed = append(s.Failed, a)
		default:
			err = fmt.Errorf("%q is none of version, passed, without, skipped, failed", kind)
		}
		if err == nil && kind != "version" && kind != "passed" && reason == "" {
			err = fmt.Errorf("%s has no reason", test)
		}
		if err != nil {
			return Suite{}, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
	}
	if s.Version == "" || s.Passed == 0 {
		return Suite{}, fmt.Errorf("%s: it must say a version and how many tests pass", name)
	}
	return s, nil
}

// Skip is the value of -test.skip that leaves out the tests that are not to be
// started; empty for none. A subtest's name is matched level by level, and a
// pattern that is an alternative cannot have levels: a list with several tests
// to leave out may name tests at the top level only.
func (s Suite) Skip() (string, error) {
	var all []string
	for _, a := range s.Without {
		if strings.Contains(a.Name, "/") && len(s.Without) > 1 {
			return "", fmt.Errorf("%s is a subtest, and it is not the only test to leave out", a.Name)
		}
		levels := strings.Split(a.Name, "/")
		for i, l := range levels {
			levels[i] = "^" + regexp.QuoteMeta(l) + "$"
		}
		all = append(all, strings.Join(levels, "/"))
	}
	return strings.Join(all, "|"), nil
}

// Results is how the tests of a run with -test.v ended: passed ones at the top
// level only, failed and skipped ones at every level.
type Results struct{ Passed, Failed, Skipped []string }

var resultLine = regexp.MustCompile(`(?m)^( *)--- (PASS|FAIL|SKIP): (\S+) \(`)

// Read finds the results in what a run has written.
func Read(out string) (r Results) {
	for _, m := range resultLine.FindAllStringSubmatch(out, -1) {
		switch {
		case m[2] == "FAIL":
			r.Failed = append(r.Failed, m[3])
		case m[2] == "SKIP":
			r.Skipped = append(r.Skipped, m[3])
		case m[1] == "":
			r.Passed = append(r.Passed, m[3])
		}
	}
	return r
}

// Check fails the test unless the results are the expected ones.
func (s Suite) Check(t testing.TB, r Results) {
	t.Helper()
	t.Logf("%d tests passed, %d failed, %d skipped, %d not started", len(r.Passed), len(r.Failed), len(r.Skipped), len(s.Without))
	compare := func(what string, got []string, want []Absent) {
		t.Helper()
		var names []string
		for _, a := range want {
			names = append(names, a.Name)
		}
		slices.Sort(names)
		slices.Sort(got)
		if !slices.Equal(got, names) {
			t.Errorf("%s:\n   %s\nexpected:\n   %s", what, strings.Join(got, "\n   "), strings.Join(names, "\n   "))
		}
	}
	compare("failed", r.Failed, s.Failed)
	compare("skipped themselves", r.Skipped, s.Skipped)
	if len(r.Passed) != s.Passed {
		t.Errorf("%d tests passed, expected are %d", len(r.Passed), s.Passed)
	}
}

// Table is the account as a table in Markdown.
func (s Suite) Table(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %d tests pass, ", name, s.Version, s.Passed)
	if len(s.Failed) == 0 {
		b.WriteString("none fails; ")
	} else {
		fmt.Fprintf(&b, "%d fail; ", len(s.Failed))
	}
	fmt.Fprintf(&b, "skipped by themselves: %d; not started: %d.\n", len(s.Skipped), len(s.Without))
	if len(s.Without)+len(s.Skipped)+len(s.Failed) == 0 {
		return b.String()
	}
	b.WriteString("\n| test | why it does not pass |\n|---|---|\n")
	for _, group := range []struct {
		what  string
		tests []Absent
	}{{"not started", s.Without}, {"skips itself", s.Skipped}, {"fails", s.Failed}} {
		for _, a := range group.tests {
			fmt.Fprintf(&b, "| `%s` | %s: %s |\n", a.Name, group.what, a.Reason)
		}
	}
	return b.String()
}
