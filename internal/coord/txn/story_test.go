package txn

import (
	"flag"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/story"
)

var rewrite = flag.Bool("rewrite", false, "write what the stories do into testdata")

// TestStories plays testdata/*.txt. A story is a list of commands, each followed by a
// line "----" and by what the coordinator did about it. With -rewrite the second half
// is written anew: read the difference.
//
// A command is a verb with arguments, or, for a request, a producer's name, a verb and
// arguments. The name up to a digit is its transactional id (a1 and a2 are two
// producers of a). The runner remembers the producer id and epoch that it was told.
// Unless a story says "hold", every write is durable at once.
func TestStories(t *testing.T) {
	story.Play(t, *rewrite, func() story.World { return newWorld() })
}

// world is a coordinator with a log under it and producers around it.
type world struct {
	c         *Coordinator
	cfg       Config
	now       time.Time
	ids       int64
	producers map[string]*producer
	text      strings.Builder

	log     []Record // durable
	tail    []Write  // appended, not durable
	hold    bool     // do not flush by itself
	refuse  error    // appends are refused with it
	damaged map[Partition]bool
}

type producer struct {
	id    int64
	epoch int16
}

func newWorld() *world {
	w := &world{now: time.UnixMilli(1_000_000), producers: map[string]*producer{}, damaged: map[Partition]bool{}}
	w.cfg = DefaultConfig()
	w.cfg.MaxPartitions = 5
	w.cfg.NewProducerID = func() (int64, error) {
		w.ids++
		return w.ids * 1000, nil
	}
	w.cfg.Unreachable = func(p Partition) bool { return w.damaged[p] }
	w.start()
	return w
}

func (w *world) start() {
	w.c = New(w.cfg)
	var n Replayed
	for _, r := range w.log {
		if err := w.c.Replay(r, &n); err != nil {
			panic(err)
		}
	}
	w.carryOut(w.c.Loaded(w.now))
}

// Told is for the player of stories, as is Do.
func (w *world) Told() string {
	defer w.text.Reset()
	return w.text.String()
}

func (w *world) say(format string, args ...any) { fmt.Fprintf(&w.text, "  "+format+"\n", args...) }

func (w *world) Do(line string) error {
	f := strings.Fields(line)
	switch f[0] {
	case "hold":
		w.hold = true
	case "flush":
		w.hold = false
		w.flush()
	case "refuse":
		w.refuse = kerr.KafkaStorageError
	case "accept":
		w.refuse = nil
	case "fail": // the disk has failed
		w.carryOut(w.c.Step(w.now, Durable{Err: kerr.KafkaStorageError}))
	case "wait":
		d, err := time.ParseDuration(f[1])
		if err != nil {
			return err
		}
		w.wait(w.now.Add(d))
	case "damage":
		w.damaged[partition(f[1])] = true
	case "mend":
		clear(w.damaged)
	case "delete": // a topic
		for p := range w.damaged {
			if p.Topic == f[1] {
				delete(w.damaged, p)
			}
		}
		w.carryOut(w.c.Step(w.now, Reachable{Topic: f[1]}))
	case "restart": // what was not durable is lost
		w.tail = nil
		w.start()
	case "list":
		return w.list(f[1:])
	default:
		return w.request(f[0], f[1], f[2:])
	}
	return nil
}

func (w *world) wait(until time.Time) {
	for at := w.c.Deadline(); !at.IsZero() && !at.After(until); at = w.c.Deadline() {
		w.now = at
		w.carryOut(w.c.Step(w.now, Tick{}))
	}
	w.now = until
}

func partition(s string) Partition {
	topic, n, _ := strings.Cut(s, "/")
	i, _ := strconv.Atoi(n)
	return Partition{topic, int32(i)}
}

func (w *world) list(args []string) error {
	e := List{Token: "", OpenMillis: -1}
	for _, a := range args {
		k, v, _ := strings.Cut(a, "=")
		switch k {
		case "state":
			s, ok := StateNamed(v)
			if !ok {
				return fmt.Errorf("no state %s", v)
			}
			e.States = append(e.States, s)
		case "open":
			n, _ := strconv.ParseInt(v, 10, 64)
			e.OpenMillis = n
		case "like":
			e.Matches = func(id string) bool { return strings.HasPrefix(id, v) }
		}
	}
	w.carryOut(w.c.Step(w.now, e))
	return nil
}

func (w *world) request(name, verb string, args []string) error {
	p := w.producers[name]
	if p == nil {
		p = &producer{-1, -1}
		w.producers[name] = p
	}
	id := strings.TrimRight(name, "0123456789")
	opt := map[string]string{}
	var parts []Partition
	for _, a := range args {
		if k, v, ok := strings.Cut(a, "="); ok {
			opt[k] = v
		} else if strings.Contains(a, "/") {
			parts = append(parts, partition(a))
		} else {
			opt[a] = "yes"
		}
	}
	epoch := p.epoch
	if s := opt["epoch"]; s != "" {
		n, _ := strconv.Atoi(s)
		epoch = int16(n)
	}
	producerID := p.id
	if s := opt["id"]; s != "" {
		producerID, _ = strconv.ParseInt(s, 10, 64)
	}
	v2 := opt["v1"] == ""
	label := name + " " + verb
	var e Event
	switch verb {
	case "init":
		i := Init{Token: label, ID: id, TimeoutMillis: 60_000, ProducerID: -1, Epoch: -1}
		if s := opt["timeout"]; s != "" {
			n, _ := strconv.Atoi(s)
			i.TimeoutMillis = int32(n)
		}
		if opt["again"] != "" {
			i.ProducerID, i.Epoch = producerID, epoch
		}
		e = i
	case "add":
		e = Add{Token: label, ID: id, ProducerID: producerID, Epoch: epoch, Partitions: parts, V2: v2}
	case "verify":
		e = Add{Token: label, ID: id, ProducerID: producerID, Epoch: epoch, Partitions: parts, Verify: true}
	case "write":
		e = Enter{Token: label, ID: id, ProducerID: producerID, Epoch: epoch, Partition: parts[0], Implicit: v2}
	case "commit", "abort":
		e = End{Token: label, ID: id, ProducerID: producerID, Epoch: epoch, Commit: verb == "commit", V2: v2}
	case "describe":
		e = Describe{Token: label, ID: id}
	case "fate": // of a transaction that a log has open
		w.say("%s -> %s", label, [...]string{"unknown", "open", "committed"}[w.c.Fate(producerID, epoch, parts[0])])
		return nil
	case "wear": // all epochs but the last few are used up
		w.c.txns[id].epoch = math.MaxInt16 - 2
		p.epoch = math.MaxInt16 - 2
		return nil
	default:
		return fmt.Errorf("no verb %s", verb)
	}
	w.carryOut(w.c.Step(w.now, e))
	return nil
}

func (w *world) carryOut(eff Effects) {
	for {
		for _, n := range eff.Notes {
			w.say("%s: %s", n.Of, n.Text)
		}
		for _, r := range eff.Replies {
			w.reply(r)
		}
		if len(eff.Writes) == 0 {
			return
		}
		var next Effects
		for _, wr := range eff.Writes {
			if w.refuse == nil {
				w.say("%s", describeWrite(wr))
				w.tail = append(w.tail, wr)
			}
			more := w.c.Step(w.now, Appended{ID: wr.ID, Err: w.refuse})
			next.Writes = append(next.Writes, more.Writes...)
			next.Replies = append(next.Replies, more.Replies...)
			next.Notes = append(next.Notes, more.Notes...)
			if w.refuse == nil && wr.With != nil {
				w.say("%s -> with its data", wr.With)
			}
		}
		eff = next
		if !w.hold && w.refuse == nil {
			w.flush()
		}
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
	w.carryOut(w.c.Step(w.now, Durable{ID: last}))
}

func describeWrite(w Write) string {
	var s strings.Builder
	for _, r := range w.Records {
		var k kmsg.TxnMetadataKey
		if err := k.ReadFrom(r.Key); err != nil {
			panic(err)
		}
		if r.Value == nil {
			fmt.Fprintf(&s, "log: %s gone", k.TransactionalID)
			continue
		}
		var v kmsg.TxnMetadataValue
		if err := v.ReadFrom(r.Value); err != nil {
			panic(err)
		}
		fmt.Fprintf(&s, "log: %s %s producer=%d/%d", k.TransactionalID, State(v.State), v.ProducerID, v.ProducerEpoch)
		for _, t := range v.Topics {
			fmt.Fprintf(&s, " %s/%v", t.Topic, t.Partitions)
		}
		if v.PreviousProducerID >= 0 {
			fmt.Fprintf(&s, " before=%d", v.PreviousProducerID)
		}
		if v.NextProducerID >= 0 {
			fmt.Fprintf(&s, " next=%d", v.NextProducerID)
		}
	}
	if d := w.Decision; d != nil {
		what := "abort"
		if d.Commit {
			what = "commit"
		}
		fmt.Fprintf(&s, " + markers %s %d/%d", what, d.ProducerID, d.Epoch)
		for _, p := range d.Partitions {
			fmt.Fprintf(&s, " %s/%d", p.Topic, p.Partition)
		}
	}
	return s.String()
}

func codeName(code int16) string {
	if err := kerr.TypedErrorForCode(code); err != nil {
		return err.Message
	}
	return "ok"
}

func (w *world) reply(r Reply) {
	label := fmt.Sprint(r.Token)
	name, _, _ := strings.Cut(label, " ")
	told := func(code int16, id int64, epoch int16) {
		if code != 0 {
			w.say("%s -> %s", label, codeName(code))
			return
		}
		w.say("%s -> ok %d/%d", label, id, epoch)
		if id >= 0 {
			*w.producers[name] = producer{id, epoch}
		}
	}
	switch a := r.Answer.(type) {
	case InitAnswer:
		told(a.Code, a.ProducerID, a.Epoch)
	case EndAnswer:
		told(a.Code, a.ProducerID, a.Epoch)
	case AddAnswer:
		names := []string{codeName(a.Code)}
		if a.Codes != nil {
			names = nil
			for _, c := range a.Codes {
				names = append(names, codeName(c))
			}
		}
		w.say("%s -> %s", label, strings.Join(names, ", "))
	case EnterAnswer:
		w.say("%s -> %s", label, codeName(a.Code))
	case kmsg.DescribeTransactionsResponseTransactionState:
		if a.ErrorCode != 0 {
			w.say("%s -> %s", label, codeName(a.ErrorCode))
			return
		}
		w.say("%s -> %s %d/%d timeout=%d started=%d %v", label, a.State, a.ProducerID, a.ProducerEpoch, a.TimeoutMillis, a.StartTimestamp, a.Topics)
	case ListAnswer:
		var names []string
		for _, t := range a.Transactions {
			names = append(names, fmt.Sprintf("%s=%s", t.TransactionalID, t.TransactionState))
		}
		if !slices.IsSorted(names) {
			w.say("not sorted")
		}
		w.say("list -> %s %s", codeName(a.Code), strings.Join(names, " "))
	default:
		w.say("%s -> %T", label, a)
	}
}
