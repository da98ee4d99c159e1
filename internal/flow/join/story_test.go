package join

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write what the machine answers into the stories of testdata")

// The stories of testdata are commands; the lines with an arrow below each are
// what the machine answers. After a change of behaviour, run with -rewrite and
// read the difference.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			want, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			got := tell(t, string(want))
			if *rewrite {
				if err := os.WriteFile(f, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("the story went otherwise:\n%s", got)
			}
		})
	}
}

const arrow = "    → "

type teller struct {
	t     *testing.T
	m     *Machine
	cfg   Config
	lost  map[string][]string // by step
	start time.Time
	now   time.Time
	held  map[string]bool
	out   strings.Builder
}

func tell(t *testing.T, story string) string {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := &teller{t: t, lost: map[string][]string{}, start: start, now: start, held: map[string]bool{}}
	for line := range strings.Lines(story) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, arrow) {
			continue
		}
		s.out.WriteString(line + "\n")
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			s.command(words[0], words[1:])
		}
	}
	return s.out.String()
}

// options splits words into plain ones and name=value ones.
func options(words []string) (plain []string, named map[string]string) {
	named = map[string]string{}
	for _, w := range words {
		if k, v, ok := strings.Cut(w, "="); ok {
			named[k] = v
		} else {
			plain = append(plain, w)
		}
	}
	return plain, named
}

func (s *teller) command(verb string, words []string) {
	plain, named := options(words)
	switch verb {
	case "join": // join BRANCH... within=30s [require=a,b] [late=amend] [by=value] [kept=N] [done=N]
		s.join(plain, named)
	case "lost": // lost STEP BRANCH...: what goes when a step makes nothing of an event
		s.lost[plain[0]] = plain[1:]
	case "part": // part BRANCH/OFFSET KEY [t=SECONDS] [event=ID] [root=BRANCH/OFFSET] [redriven=yes]
		branch, offset := place(plain[0])
		p := Part{Branch: branch, Offset: offset, Key: plain[1], Event: plain[1] + "." + branch, Time: s.at(named),
			Value: json.RawMessage(`"` + plain[0] + `"`), Redriven: named["redriven"] != "", Ref: plain[0]}
		if e := named["event"]; e != "" {
			p.Event = e
		}
		if r := named["root"]; r != "" {
			p.Origin.Branch, p.Origin.Offset = place(r)
		}
		s.held[plain[0]] = true
		s.effects(s.m.Part(p, s.now), plain[0])
	case "skip", "dead": // skip STEP KEY; dead STEP KEY COORDINATES [branch=NAME] [root=...]
		a := Announcement{Step: plain[0], Key: plain[1], Branch: named["branch"], Time: s.at(named), Ref: verb + ":" + plain[0]}
		if verb == "dead" {
			a.DeadLetter = plain[2]
		}
		if r := named["root"]; r != "" {
			a.Origin.Branch, a.Origin.Offset = place(r)
		}
		s.held[a.Ref.(string)] = true
		s.effects(s.m.Announce(a, s.now), a.Ref.(string))
	case "tick": // tick SECONDS: the wall clock moves on
		n, err := strconv.ParseFloat(plain[0], 64)
		if err != nil {
			s.t.Fatal(err)
		}
		s.now = s.now.Add(time.Duration(n * float64(time.Second)))
		s.effects(s.m.Tick(s.now), "")
	case "read": // read BRANCH/OFFSET: read from there on
		s.m.Read(place(plain[0]))
	case "restart": // all in memory is gone; what was held is not committed
		s.m = New(s.cfg)
	case "restore": // restore KEY has=a,b [missing=c:why] [emitted=no] [confirmed=no]
		r := Row{Key: plain[0], ID: "row-" + plain[0], Time: s.now, Parts: map[string]Part{}, Emitted: named["emitted"] != "no"}
		for _, b := range strings.Split(named["has"], ",") {
			r.Parts[b] = Part{Branch: b, Key: plain[0], Event: plain[0] + "." + b, Value: json.RawMessage(`"` + b + `/?"`)}
		}
		if named["missing"] != "" {
			b, why, _ := strings.Cut(named["missing"], ":")
			r.Missing = map[string]string{b: why}
		}
		s.m.Restore(r, named["confirmed"] != "no")
	default:
		s.t.Fatalf("unknown command %q", verb)
	}
}

func (s *teller) join(branches []string, named map[string]string) {
	within, err := time.ParseDuration(named["within"])
	if err != nil {
		s.t.Fatal(err)
	}
	s.cfg = Config{Branches: branches, Within: within, Late: Amend, ByEvent: named["by"] == "", MaxKept: 1000, MaxDone: 1000,
		Lost: func(announced func(string) bool) map[string]string {
			out := map[string]string{}
			for step, bs := range s.lost {
				if announced(step) {
					for _, b := range bs {
						out[b] = step
					}
				}
			}
			return out
		},
		RowID: func(key string, events []string) string {
			if named["by"] != "" {
				return "row-" + strings.Join(events, "+")
			}
			return "row-" + key
		},
	}
	if r := named["require"]; r != "" {
		s.cfg.Require = strings.Split(r, ",")
	}
	if l := named["late"]; l != "" {
		s.cfg.Late = Late(l)
	}
	for name, to := range map[string]*int{"kept": &s.cfg.MaxKept, "bytes": &s.cfg.MaxKeptBytes, "done": &s.cfg.MaxDone} {
		if v := named[name]; v != "" {
			if *to, err = strconv.Atoi(v); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	s.m = New(s.cfg)
}

func place(s string) (string, int64) {
	branch, off, _ := strings.Cut(s, "/")
	n, err := strconv.ParseInt(off, 10, 64)
	if err != nil {
		panic(err)
	}
	return branch, n
}

func (s *teller) at(named map[string]string) time.Time {
	n, _ := strconv.ParseFloat(named["t"], 64)
	return s.start.Add(time.Duration(n * float64(time.Second)))
}

func (s *teller) effects(es []Effect, ref string) {
	for _, e := range es {
		var words []string
		words = append(words, string(e.Kind))
		if e.Row.Key != "" {
			words = append(words, e.Row.ID)
			for _, b := range s.cfg.Branches {
				if p, ok := e.Row.Parts[b]; ok {
					words = append(words, b+"="+strings.Trim(string(p.Value), `"`))
				}
			}
			for _, b := range slices.Sorted(maps.Keys(e.Row.Missing)) {
				words = append(words, fmt.Sprintf("missing(%s: %s)", b, e.Row.Missing[b]))
			}
			if e.Row.Amended {
				words = append(words, "amended")
			}
		}
		if e.Reason != "" {
			words = append(words, "because:", e.Reason)
		}
		if len(e.Refs) > 0 {
			words = append(words, fmt.Sprint("settles ", e.Refs))
		}
		if e.Keep {
			words = append(words, "keep")
		}
		if e.Forget {
			words = append(words, "forget")
		}
		for _, r := range e.Refs {
			if !s.held[r.(string)] {
				s.t.Errorf("%s is settled but not held", r)
			}
			delete(s.held, r.(string))
		}
		s.out.WriteString(arrow + strings.Join(words, " ") + "\n")
	}
	if s.held[ref] {
		s.out.WriteString(arrow + "hold\n")
	}
}
