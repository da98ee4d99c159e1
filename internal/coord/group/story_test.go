package group

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/story"
)

var rewrite = flag.Bool("rewrite", false, "write what the stories do into testdata")

// TestStories plays testdata/*.txt. A story is a list of commands, each
// followed by a line "----" and by what the coordinator did about it. With
// -rewrite the second half is written anew: read the difference.
//
// A command is a verb with arguments, or, for a client's request, the client's
// name, a verb and arguments. The runner remembers a client's member id and
// generation from its last join, as a real one would. Unless a story says
// "hold", every write is durable at once.
func TestStories(t *testing.T) {
	story.Play(t, *rewrite, func() story.World { return newWorld() })
}

// world is a coordinator with a log under it and clients around it.
type world struct {
	c       *Coordinator
	cfg     Config
	now     time.Time
	began   time.Time
	ids     int
	clients map[string]*client
	text    strings.Builder

	log    []Record // durable
	tail   []Write  // appended, not durable
	topics testTopics
	made   map[string]int // how often a topic was made
	// settings are those of all consumer groups.
	settings ConsumerSettings
	hold     bool  // do not flush by itself
	refuse   error // appends are refused with it
}

// client is what a client remembers between its requests.
type client struct {
	member     string
	generation int32
	instance   *string
	protocol   string
	assigned   []partition // as a member of a consumer group
	// settings are what its joins say when they do not say otherwise.
	settings map[string]string
}

func newWorld() *world {
	w := &world{
		cfg:     DefaultConfig(),
		began:   time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		clients: make(map[string]*client),
		topics:  testTopics{},
		made:    make(map[string]int),
	}
	w.settings = w.cfg.Consumer("")
	w.settings.Assignment = 0
	w.cfg.Consumer = func(string) ConsumerSettings { return w.settings }
	w.cfg.InitialRebalanceDelay = 0
	w.now = w.began
	w.cfg.NewID = func() string { w.ids++; return fmt.Sprint(w.ids) }
	w.c = New(w.cfg)
	w.effects(w.c.Loaded(w.now, nil))
	return w
}

// Told is for the player of stories, as is Do.
func (w *world) Told() string {
	defer w.text.Reset()
	return w.text.String()
}

func (w *world) printf(format string, args ...any) { fmt.Fprintf(&w.text, format+"\n", args...) }

// step does one event and all that follows from it.
func (w *world) step(e Event) { w.effects(w.c.Step(w.now, e)) }

func (w *world) effects(eff Effects) {
	for _, n := range eff.Notes {
		w.printf("  %s: %s", n.Of, n.Text)
	}
	for _, r := range eff.Replies {
		w.answered(r)
	}
	for _, wr := range eff.Writes {
		for _, r := range wr.Records {
			w.printf("  log: %s", recordText(r))
		}
		if w.refuse != nil {
			w.printf("  log: refused")
			w.step(Appended{wr.ID, w.refuse})
			continue
		}
		w.tail = append(w.tail, wr)
		w.step(Appended{wr.ID, nil})
	}
	if !w.hold {
		w.flush()
	}
}

func (w *world) flush() {
	if len(w.tail) == 0 {
		return
	}
	last := w.tail[len(w.tail)-1].ID
	for _, wr := range w.tail {
		w.log = append(w.log, wr.Records...)
	}
	w.tail = nil
	w.step(Durable{last, nil})
}

var errStorage = fmt.Errorf("no space left on device: %w", kerr.KafkaStorageError)

func (w *world) Do(line string) error {
	f := strings.Fields(line)
	if v, ok := verbs[f[0]]; ok {
		return v(w, parse(f[1:]))
	}
	if len(f) < 2 {
		return fmt.Errorf("no such verb")
	}
	v, ok := requests[f[1]]
	if !ok {
		return fmt.Errorf("clients cannot %q", f[1])
	}
	c := w.clients[f[0]]
	if c == nil {
		c = &client{generation: -1, settings: make(map[string]string)}
		w.clients[f[0]] = c
	}
	return v(w, f[0], c, parse(f[2:]))
}

// args are the words of a command: name=value, or plain.
type args struct {
	named map[string]string
	plain []string
}

func parse(words []string) args {
	a := args{named: make(map[string]string)}
	for _, s := range words {
		if k, v, ok := strings.Cut(s, "="); ok && !strings.Contains(k, "/") {
			a.named[k] = v
		} else {
			a.plain = append(a.plain, s)
		}
	}
	return a
}

func (a args) str(name, def string) string {
	if v, ok := a.named[name]; ok {
		return v
	}
	return def
}

func (a args) num(name string, def int) int {
	n := def
	if v, ok := a.named[name]; ok {
		if _, err := fmt.Sscan(v, &n); err != nil {
			panic(fmt.Sprintf("%s=%s is not a number", name, v))
		}
	}
	return n
}

func (a args) ms(name string, def time.Duration) int32 {
	d := def
	if v, ok := a.named[name]; ok {
		var err error
		if d, err = time.ParseDuration(v); err != nil {
			panic(err)
		}
	}
	return int32(d.Milliseconds())
}

// list splits a value at its commas.
func (a args) list(name string) []string {
	if a.named[name] == "" {
		return nil
	}
	return strings.Split(a.named[name], ",")
}

// optional is a pointer to the value, nil when it was not given.
func (a args) optional(name string) *string {
	if v, ok := a.named[name]; ok {
		return &v
	}
	return nil
}
