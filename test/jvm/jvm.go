package jvm

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/test/leatproc"
)

// here is this package's folder, whoever's test runs.
func here() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

// Command is the start of the command line of a Java program: java with its classpath.
// A machine without Java or Maven is named by a skip, or by a failure in CI.
func Command(t testing.TB, options ...string) []string {
	t.Helper()
	cmd := exec.Command(filepath.Join(here(), "install.sh"))
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Log(said.String())
		leatproc.Missing(t, "Java and Kafka's jars", err)
	}
	classes, jars, ok := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if !ok {
		t.Fatalf("install.sh says %q, not two folders", out)
	}
	command := []string{"java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xmx256m", "-Djava.awt.headless=true"}
	command = append(command, options...)
	return append(command, "-cp", classes+":"+filepath.Join(jars, "*"))
}

// Run starts a class with a main method as a process of its own.
func Run(t testing.TB, class string, args ...string) *leatproc.Process {
	t.Helper()
	command := append(Command(t), class)
	return leatproc.Run(t, "", command[0], append(command[1:], args...)...)
}

// Tools is a JVM that runs the main methods of classes, one at a time.
type Tools struct {
	t testing.TB
	p *leatproc.Process
}

// StartTools starts the JVM; it ends with the test.
func StartTools(t testing.TB) *Tools {
	t.Helper()
	return &Tools{t: t, p: Run(t, "Tools")}
}

// patience is how long one tool may take; late is the status of one that took longer.
const (
	patience = 40 * time.Second
	late     = 124
)

// Run calls a class with arguments, none of which may have a tab or a line's end.
// It returns the lines that were printed to either stream, and the exit status. One
// that does not end in time fails the test.
func (j *Tools) Run(class string, args ...string) (said []string, status int) {
	j.t.Helper()
	line := strings.Join(append([]string{class, strconv.FormatInt(patience.Milliseconds(), 10)}, args...), "\t")
	if strings.Count(line, "\t") != len(args)+1 || strings.Contains(line, "\n") {
		j.t.Fatalf("no tool can be called with a tab or a line's end: %q", args)
	}
	if _, err := fmt.Fprintln(j.p.Stdin, line); err != nil {
		j.t.Fatalf("the JVM takes no more commands: %v\n%s", err, j.p.Tail())
	}
	deadline := time.After(2 * patience)
	for {
		select {
		case l, ok := <-j.p.Stdout:
			if !ok {
				j.t.Fatalf("the JVM ended while it ran %s %q\n%s", class, args, j.p.Tail())
			}
			if text, ok := strings.CutPrefix(l, "| "); ok {
				said = append(said, text)
				continue
			}
			code, err := strconv.Atoi(strings.TrimPrefix(l, "exit "))
			if err != nil {
				j.t.Fatalf("%s %q: the JVM says %q", class, args, l)
			}
			if code == late {
				j.t.Errorf("%s %q has not ended after %v:\n%s", class, args, patience, strings.Join(said, "\n"))
			}
			return said, code
		case <-deadline:
			j.t.Fatalf("%s %q has not ended\n%s", class, args, j.p.Tail())
		}
	}
}
