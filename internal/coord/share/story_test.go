package share

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/story"
)

var rewrite = flag.Bool("rewrite", false, "write what the stories do into testdata")

// TestStories plays testdata/*.txt. A story is a list of commands, each group of them
// followed by a line "----" and by what the machine did about it. With -rewrite the
// second half is written anew: read the difference.
func TestStories(t *testing.T) {
	story.Play(t, *rewrite, func() story.World { return newWorld() })
}

// world is a machine with a topic's log before it and the log of its state behind it.
type world struct {
	p      *Partition
	cfg    Config
	now    time.Time
	began  time.Time
	text   strings.Builder
	log    []Batch // of the topic
	skip   []Range
	state  [][2][]byte // records of __share_group_state, durable
	snap   Header
	refuse bool // the next append is refused
	grave  string
}

// worldTime is when stories begin.
var worldTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

var worldKey = Key{Group: "g", Topic: [16]byte{1}, Partition: 3}

func newWorld() *world {
	w := &world{cfg: DefaultConfig(), began: worldTime}
	w.now = w.began
	w.p = New(w.cfg, w.now.Add(-time.Second), 0)
	w.snapshot()
	return w
}

// Told is for the player of stories.
func (w *world) Told() string {
	defer w.text.Reset()
	return w.text.String()
}

func (w *world) printf(format string, args ...any) { fmt.Fprintf(&w.text, "  "+format+"\n", args...) }

func (w *world) snapshot() {
	s := w.p.Snapshot()
	w.snap.SnapshotEpoch++
	w.state = append(w.state, [2][]byte{AppendSnapshotKey(nil, worldKey), AppendSnapshot(nil, w.snap, &s)})
}

// step does one event and all that follows from it. ok is false when what it wanted
// to write was refused.
func (w *world) step(e Event) (out *Effects, ok bool) {
	out = w.p.Step(w.now, e)
	eff := *out
	eff.Acquired = append([]Got(nil), out.Acquired...)
	if eff.Note != "" {
		w.printf("note: %s", eff.Note)
	}
	if eff.Write == nil {
		return &eff, true
	}
	w.printf("log: start=%d%s", eff.Write.Start, entries(eff.Write.Batches, w.began))
	if w.refuse {
		w.refuse = false
		w.printf("log: refused")
		w.p.Step(w.now, Appended{errors.New("refused")})
		return &eff, false
	}
	w.state = append(w.state, [2][]byte{AppendUpdateKey(nil, worldKey), AppendUpdate(nil, w.snap, eff.Write)})
	w.p.Step(w.now, Appended{})
	return &eff, true
}

func entries(es []Entry, began time.Time) string {
	var s strings.Builder
	at := func(ms int64) time.Duration { return time.UnixMilli(ms).Sub(began) }
	for _, e := range es {
		fmt.Fprintf(&s, " %s:%s", offsets(e.First, e.Last), e.State)
		if !e.State.finished() {
			fmt.Fprintf(&s, ",%d/%d", e.Acquired, e.Failed)
		}
		if e.Due != 0 {
			fmt.Fprintf(&s, ",due=%s", at(e.Due))
		}
		if e.Member != "" {
			fmt.Fprintf(&s, ",%s until %s", e.Member, at(e.Lock))
		}
	}
	return s.String()
}

func offsets(first, last int64) string {
	if first == last {
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d-%d", first, last)
}

func parseRange(s string) (r Range, err error) {
	a, b, two := strings.Cut(s, "-")
	if !two {
		b = a
	}
	if r.First, err = strconv.ParseInt(a, 10, 64); err == nil {
		r.Last, err = strconv.ParseInt(b, 10, 64)
	}
	return r, err
}

func codeName(code int16) string {
	if code == 0 {
		return "ok"
	}
	return kerr.TypedErrorForCode(code).Message
}
