package report

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatdev/leat/bench/internal/work"
)

func TestStat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   []float64
		want Stat
	}{{nil, Stat{}}, {[]float64{5}, Stat{5, 5, 5, 1}}, {[]float64{9, 1, 5}, Stat{5, 1, 9, 3}}, {[]float64{4, 1, 3, 2}, Stat{2.5, 1, 4, 4}}} {
		if got := newStat(c.in); got != c.want {
			t.Errorf("of %v: %+v, want %+v", c.in, got, c.want)
		}
	}
}

// Ratios are made within a round: a round that only one of them has is left out.
func TestRatio(t *testing.T) {
	t.Parallel()
	got := ratio(map[int]float64{1: 10, 2: 30, 3: 100}, map[int]float64{1: 5, 2: 10, 4: 1})
	if want := (Stat{2.5, 2, 3, 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := ratio(map[int]float64{1: 10}, map[int]float64{1: 0}); got.N != 0 {
		t.Errorf("divided by zero: %+v", got)
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	one := func(x float64) Stat { return Stat{x, x, x, 1} }
	for _, c := range []struct {
		g    Goal
		want string
	}{
		{Goal{Want: .8}, "not measured"},
		{Goal{Want: .8, Got: one(.8)}, "reached"}, {Goal{Want: .8, Got: one(.79)}, "not reached"},
		{Goal{Want: 8, Got: one(8), AtMost: true}, "reached"}, {Goal{Want: 8, Got: one(8.1), AtMost: true}, "not reached"},
	} {
		if got := c.g.Verdict(); got != c.want {
			t.Errorf("%+v is %s, want %s", c.g, got, c.want)
		}
	}
}

func fixed(t *testing.T) Run {
	t.Helper()
	r, err := Load(filepath.Join("testdata", "raw.json"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	md := fixed(t).Markdown("The disk was new.")
	for _, want := range []string{
		"2 × Chip, 8 GB memory, Linux 6, ext4 with 50 GB free, go1.26, load 0.10 before the run.",
		"| leat | v1 | fsync before the ack |", "| rabbitmq | not here | not installed |",
		// 30/40, 32/40, 36/40 of kfake's acks
		"| 64 sync producers, 1 partition | acks/s ≥ 0.8 × the in-memory broker | 0.80 (0.75–0.90) | reached | 32,000 to 40,000 (acks_per_s) |",
		"| 64 sync producers, 1 partition | acks/s ≥ 5 × the best durable peer (kfake-sync) | 8.00 (7.50–9.00) | reached | 32,000 to 4,000 (acks_per_s) |",
		"| 64 sync producers, 1 partition | p99 < 8 ms | 9.00 (5.00–9.00) | not reached | p99_ms |",
		"| leat | fsync before the ack | franz-go | 32,000 (30,000–36,000) | 9.00 (5.00–9.00) | 1.00 | 0.50 | 3 |",
		"![64 producers that wait for each ack, 1 partition](report/sync64.svg)",
		"- sync1000, kafka, round 1: no leader", "## Remarks\n\nThe disk was new.", "Note: the large log is small.",
		"| start | empty: < 10 ms | – | not measured |",
	} {
		if !strings.Contains(md, want) {
			t.Errorf("no %q in\n%s", want, md)
		}
	}
	if strings.Contains(md, "![64 producers that wait for each ack, 64 partitions]") {
		t.Error("a plot of nothing")
	}
}

// Where syncs are slow, the bare loop is the measure if it is below the broker in memory.
func TestSlowDisk(t *testing.T) {
	t.Parallel()
	r := fixed(t)
	for round := 1; round <= 3; round++ {
		r.Results = append(r.Results,
			work.Result{Row: "one/fdatasync", Peer: "bare", Round: round, Values: map[string]float64{work.P50: .5}},
			work.Result{Row: "sync64/group", Peer: "bare", Round: round, Values: map[string]float64{work.AcksPerS: 20_000}})
	}
	g := r.Goals()[0]
	if !strings.Contains(g.Text, "bare group commit") || g.Got.Median != 1.6 {
		t.Errorf("%+v", g)
	}
}

func TestSave(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := fixed(t).Save(dir, ""); err != nil {
		t.Fatal(err)
	}
	again, err := Load(filepath.Join(dir, "report", "raw.json"))
	if err != nil || len(again.Results) != len(fixed(t).Results) {
		t.Errorf("%d results, %v", len(again.Results), err)
	}
	svg, err := os.ReadFile(filepath.Join(dir, "report", "sync64.svg"))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{}
	for d := xml.NewDecoder(strings.NewReader(string(svg))); ; {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the plot is no XML: %v", err)
		}
		if c, ok := tok.(xml.CharData); ok {
			texts[strings.TrimSpace(string(c))] = true
		}
	}
	for _, want := range []string{"leat", "kfake", "kfake-sync", "acks/s", "32,000", "10 k"} {
		if !texts[want] {
			t.Errorf("the plot has no text %q: %v", want, texts)
		}
	}
}

func TestTick(t *testing.T) {
	t.Parallel()
	for _, most := range []float64{.003, .7, 1, 4, 7.9, 8, 19.9, 20, 39, 12345, 9.9e6} {
		if n := most / tick(most); n < 4-1e-9 || n > 10+1e-9 {
			t.Errorf("%v has %v steps of %v", most, n, tick(most))
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for x, want := range map[float64]string{0: "0.00", .126: "0.13", 12.34: "12.3", 123.4: "123", 999.7: "1,000", 32000: "32,000", 1_234_567: "1.23 M"} {
		if got := number(x); got != want {
			t.Errorf("%v is %s, want %s", x, got, want)
		}
	}
}

func TestMachine(t *testing.T) {
	t.Parallel()
	m := ThisMachine(t.TempDir())
	if m.Cores < 1 || m.MemoryGB <= 0 || m.Kernel == "" || m.FreeGB <= 0 || m.FileSystem == "" {
		t.Errorf("%+v", m)
	}
}
