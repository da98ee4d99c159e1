package clients

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/test/kafkaproc"
	"github.com/leatdev/leat/test/leatproc"
)

// TestAdmin has every client with administration go through one script of calls,
// good and bad ones, on Leat and on an Apache Kafka beside: what the client says of
// the answers is the same.
func TestAdmin(t *testing.T) {
	t.Parallel()
	s := leatproc.Serve(t)
	kafka, stop, err := kafkaproc.Start()
	if err != nil {
		leatproc.Missing(t, "an Apache Kafka", err)
	}
	t.Cleanup(stop)
	each(t, func(c Client) bool { return c.Admin }, func(t *testing.T, c Client) {
		ours := c.administrate(t, s.Addr, 0, 0)
		var theirs []string
		for i, pause := range []int{200, 600, 1500} { // Kafka's answers lag behind what its controller has taken
			if theirs = c.administrate(t, kafka, i, pause); slices.Equal(ours, theirs) {
				break
			}
		}
		if len(ours) < 20 {
			t.Errorf("only %d lines:\n%s", len(ours), strings.Join(ours, "\n"))
		}
		if !slices.Equal(ours, theirs) {
			t.Errorf("on Leat and on Kafka:\n%s", sideBySide(ours, theirs))
		}
		t.Logf("%d answers are Kafka's", len(ours))
	})
}

// administrate runs the client's script, with a pause in ms after each call, for
// the n-th time and returns what it says.
func (c Client) administrate(t *testing.T, addr string, n, pause int) []string {
	t.Helper()
	prefix := fmt.Sprint("admin-", c.Name, n)
	command := append(c.command(t), "admin", addr, prefix, fmt.Sprint(pause))
	p := leatproc.Run(t, "", command[0], command[1:]...)
	var said []string
	deadline := time.After(wait)
	for {
		select {
		case line, ok := <-p.Stdout:
			if ok {
				said = append(said, strings.ReplaceAll(line, prefix, "admin"))
				continue
			}
			if err := p.Wait(wait); err != nil { // its last words differ from those of the other broker
				said = append(said, err.Error())
			}
			return said
		case <-deadline:
			t.Fatalf("at %s: not ready after %v; so far:\n%s\n%s", addr, wait, strings.Join(said, "\n"), p.Tail())
		}
	}
}

func sideBySide(a, b []string) string {
	var out strings.Builder
	for i := range max(len(a), len(b)) {
		line := func(s []string) string {
			if i < len(s) {
				return s[i]
			}
			return ""
		}
		mark := " "
		if line(a) != line(b) {
			mark = "!"
		}
		fmt.Fprintf(&out, "%s %-60q %q\n", mark, line(a), line(b))
	}
	return out.String()
}
