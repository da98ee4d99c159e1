package cli

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want int
	}{{nil, 0}, {errors.New("x"), 1}, {Usagef("y"), 2}, {errors.Join(errors.New("a"), Usagef("z")), 2}, {Usage(nil), 0}} {
		if got := ExitCode(c.err); got != c.want {
			t.Errorf("%v exits with %d, want %d", c.err, got, c.want)
		}
	}
}

func TestItems(t *testing.T) {
	t.Parallel()
	var i Items
	i.Add(nil)
	if err := i.Err("topics"); err != nil {
		t.Error(err)
	}
	if s := i.Add(errors.New("exists")); s != "exists" {
		t.Error(s)
	}
	if err := i.Err("topics"); err == nil || err.Error() != "1 of 2 topics failed" {
		t.Error(err)
	}
}

func TestConfirm(t *testing.T) {
	t.Parallel()
	world := func(answer string, terminal bool) World {
		return World{In: strings.NewReader(answer), Err: io.Discard, Getenv: func(string) string { return "" },
			InTerminal: terminal, ErrTerminal: terminal}
	}
	for _, c := range []struct {
		name     string
		w        World
		yes      bool
		wantCode int
	}{
		{"--yes asks nobody", world("", false), true, 0},
		{"nobody there", world("y\n", false), false, 2},
		{"yes", world("Yes\n", true), false, 0},
		{"no", world("n\n", true), false, 1},
		{"just return", world("\n", true), false, 1},
		{"end of input", world("", true), false, 1},
	} {
		if got := ExitCode(c.w.Confirm(c.yes, "Delete it?")); got != c.wantCode {
			t.Errorf("%s: exit %d, want %d", c.name, got, c.wantCode)
		}
	}
}

func TestPaint(t *testing.T) {
	t.Parallel()
	env := map[string]string{}
	w := World{Getenv: func(k string) string { return env[k] }}
	if got := w.Paint(true, Red, "x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("terminal: %q", got)
	}
	if got := w.Paint(false, Red, "x"); got != "x" {
		t.Errorf("no terminal: %q", got)
	}
	env["NO_COLOR"] = "1"
	if got := w.Paint(true, Red, "x"); got != "x" {
		t.Errorf("NO_COLOR: %q", got)
	}
}

func TestEnvStandsInForAFlag(t *testing.T) {
	t.Parallel()
	env := map[string]string{"LEAT_N": "7", "LEAT_BAD": "many"}
	getenv := func(k string) string { return env[k] }
	command := func(args ...string) (n int, changed bool, err error) {
		c := &cobra.Command{Use: "x", RunE: func(c *cobra.Command, _ []string) error {
			changed = c.Flags().Changed("n")
			return nil
		}}
		c.Flags().IntVar(&n, "n", 1, "how many")
		FromEnv(c.Flags(), "n", "LEAT_N")
		c.PreRunE = func(c *cobra.Command, _ []string) error { return ApplyEnv(c, getenv) }
		c.SetArgs(args)
		c.SilenceErrors, c.SilenceUsage = true, true
		err = c.Execute()
		return
	}
	if n, changed, err := command(); n != 7 || !changed || err != nil {
		t.Error("environment:", n, changed, err)
	}
	if n, _, err := command("--n", "3"); n != 3 || err != nil {
		t.Error("the flag wins:", n, err)
	}
	env["LEAT_N"] = "many"
	if _, _, err := command(); !IsUsage(err) || !strings.Contains(err.Error(), "LEAT_N") {
		t.Error("bad value:", err)
	}
	delete(env, "LEAT_N")
	if n, changed, err := command(); n != 1 || changed || err != nil {
		t.Error("default:", n, changed, err)
	}
}

type thing struct {
	Name string   `json:"name"`
	N    int      `json:"n"`
	Tags []string `json:"tags"`
	Note *string  `json:"note"`
}

func TestOutput(t *testing.T) {
	t.Parallel()
	v := []thing{{Name: "a<b", N: 1, Tags: []string{"x", "true"}}, {Name: "12", Tags: []string{}}}
	text := func(w io.Writer) error {
		tab := NewTable(w, "NAME", "N")
		for _, x := range v {
			tab.Row(x.Name, x.N)
		}
		tab.Row("", 3)
		return tab.Flush()
	}
	for format, want := range map[string]string{
		"text": "NAME  N\na<b   1\n12    0\n-     3\n",
		"json": `[
  {
    "name": "a<b",
    "n": 1,
    "tags": [
      "x",
      "true"
    ],
    "note": null
  },
  {
    "name": "12",
    "n": 0,
    "tags": [],
    "note": null
  }
]
`,
		"yaml": `- name: a<b
  n: 1
  tags:
    - x
    - "true"
  note: null
- name: "12"
  n: 0
  tags: []
  note: null
`,
	} {
		var b strings.Builder
		if err := (Output{format, &b}).Write(v, text); err != nil {
			t.Error(err)
		}
		if b.String() != want {
			t.Errorf("%s:\n%s\nwant\n%s", format, b.String(), want)
		}
	}
	if err := (Output{Format: "xml"}).Check(); !IsUsage(err) {
		t.Error(err)
	}
}

func TestParseOffset(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	at := func(s string) Offset {
		tm, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return Offset{Kind: OffsetTime, Time: tm}
	}
	for s, want := range map[string]Offset{
		"start": {Kind: OffsetStart}, "end": {Kind: OffsetEnd},
		"47": {Kind: OffsetExact, N: 47}, "-3": {Kind: OffsetFromEnd, N: 3}, "+2": {Kind: OffsetRelative, N: 2},
		"@2026-01-14": at("2026-01-14T00:00:00Z"), "@2026-01-14T10:30:00+01:00": at("2026-01-14T09:30:00Z"),
		"@-1h": at("2026-01-15T11:00:00Z"), "@now": at("2026-01-15T12:00:00Z"), "@1768471200000": at("2026-01-15T10:00:00Z"),
	} {
		got, err := ParseOffset(s, now)
		if err != nil || got.Kind != want.Kind || got.N != want.N || !got.Time.Equal(want.Time) {
			t.Errorf("%s is %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "begin", "--3", "-", "@", "@soon", "1.5", "99999999999999999999", "@-1y"} {
		if o, err := ParseOffset(s, now); !IsUsage(err) {
			t.Errorf("%q is taken as %v, %v", s, o, err)
		}
	}
}

func TestResolveOffset(t *testing.T) {
	t.Parallel()
	byTime := func(time.Time) int64 { return 15 }
	for _, c := range []struct {
		o    Offset
		want int64
	}{
		{Offset{Kind: OffsetStart}, 10}, {Offset{Kind: OffsetEnd}, 20}, {Offset{Kind: OffsetExact, N: 3}, 3},
		{Offset{Kind: OffsetFromEnd, N: 4}, 16}, {Offset{Kind: OffsetFromEnd, N: 40}, 10},
		{Offset{Kind: OffsetRelative, N: 4}, 14}, {Offset{Kind: OffsetRelative, N: 40}, 20}, {Offset{Kind: OffsetTime}, 15},
	} {
		if got := c.o.Resolve(10, 20, byTime); got != c.want {
			t.Errorf("%v is %d, want %d", c.o, got, c.want)
		}
	}
}

func TestParseSince(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string]time.Time{
		"2h": now.Add(-2 * time.Hour), "2026-01-14": now.Add(-36 * time.Hour), "": {},
	} {
		if got, err := ParseSince(s, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"yesterday", "2 h"} {
		if _, err := ParseSince(s, now); !IsUsage(err) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestDialAdvises(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close() // now nothing listens there
	_, err = Dial(t.Context(), []string{addr}, "v0", "leat dev")
	if err == nil || !strings.Contains(err.Error(), "nothing is listening at "+addr) || !strings.Contains(err.Error(), "`leat dev`") {
		t.Error(err)
	}
	for _, bad := range []string{"kafka://host:1", "", " "} {
		if _, err := Dial(t.Context(), []string{bad}, "v0", "leat dev"); !IsUsage(err) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSeedsFillInThePort(t *testing.T) {
	t.Parallel()
	got, err := Seeds([]string{"kafka", "a:1", "::1", "[::1]"})
	if want := "kafka:9092 a:1 [::1]:9092 [::1]:9092"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("%v, %v", got, err)
	}
}

// Names come from whoever has used the broker: what they hold reaches neither the
// terminal nor the next line.
func TestTableIsPrintable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	table := NewTable(&b, "GROUP", "STATE")
	table.Row("grün", "Stable")
	table.Row("\x1b[2J\ttab\nforged  Stable", "Empty")
	table.Row("\xff", "")
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "GROUP                         STATE\n" +
		"grün                          Stable\n" +
		`\x1b[2J\ttab\nforged  Stable  Empty` + "\n" +
		`\xff` + "                          -\n"
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
