package flow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/internal/flow/join"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// maxKept and maxDone bound a join's memory per partition: of rows that may
	// still be amended, and of ids of rows that are done.
	maxKept      = 20_000
	maxKeptBytes = 64 << 20
	maxDone      = 100_000
	// settleTimeout bounds how long a rebalance waits for decided rows to be
	// written. What is not is read again by the next owner.
	settleTimeout = 10 * time.Second
)

// joiner is the shell of a join: it holds the messages that machines (one per
// partition) decide about, and carries their effects out.
//
// Its worker calls handle from one goroutine; run has another one that ticks,
// settles and checkpoints.
type joiner struct {
	*step
	log      *slog.Logger
	branches map[string]pipeline.Branch // by topic
	state    *rowState
	meter    *joinMeter
	// status asks the worker how far it has committed; set before run.
	status func() worker.Status

	mu       sync.Mutex
	parts    map[int32]*joinPartition
	assigned map[string]map[int32]bool // by topic
	// revocations counts them, so that a state that was being read meanwhile is not
	// taken for that of a partition that came back.
	revocations int
	// rejected are the messages on their way to the dead letters because their row
	// lacks a required branch, each with the row if it is to tell of that, nil else.
	rejected map[*worker.Message]*join.Row
	queue    []settlement
	busy     bool          // the settler works on something it took from queue
	idle     *sync.Cond    // queue is empty and busy false
	wake     chan struct{} // there is something in queue
}

// joinPartition is what a joiner has of one partition.
type joinPartition struct {
	machine *join.Machine
	next    map[string]int64 // by topic: the offset after the last message seen
	checkpoints
}

func newJoiner(p *pipeline.Pipeline, s *pipeline.Step, state *rowState, log *slog.Logger) *joiner {
	j := &joiner{
		step: newStep(p, s, nil), log: log, state: state, meter: newJoinMeter(p.Name, s.Name),
		branches: map[string]pipeline.Branch{}, parts: map[int32]*joinPartition{}, assigned: map[string]map[int32]bool{},
		rejected: map[*worker.Message]*join.Row{}, wake: make(chan struct{}, 1),
	}
	j.idle = sync.NewCond(&j.mu)
	for _, b := range s.Join.Of {
		j.branches[b.Topic] = b
	}
	return j
}

// workerConfig is what the join's worker is told, but for the cluster. Its
// topics are assigned by range, which gives one member the partitions of equal
// number of all of them.
func (j *joiner) workerConfig() worker.Config {
	return worker.Config{
		Group:       j.p.Group(j.s),
		ClientOpts:  []kgo.Opt{kgo.Balancers(kgo.RangeBalancer())},
		Topics:      j.topics(),
		Start:       start(j.s.Start),
		Order:       worker.OrderNone, // the machine does not mind; one call at a time keeps partitions in order
		Handler:     worker.HandlerFunc(j.handle),
		Batch:       worker.Batch{Max: 512},
		Concurrency: 1,
		MaxInFlight: joinWindow(j.p, j.s), MaxInFlightBytes: joinWindowBytes,
		DeadLetter: worker.DeadLetter{Topic: j.s.DLQ, Pipeline: j.p.Name, Step: j.s.Name, Announce: j.announce},
		OnAssigned: j.onAssigned,
		OnRevoked:  j.onRevoked,
	}
}

// topics are all that the join reads.
func (j *joiner) topics() []string {
	topics := append(j.s.Inputs(), j.p.Redrive(j.s))
	if j.s.Join.By == nil {
		topics = append(topics, j.p.Outcomes())
	}
	return topics
}

func (j *joiner) machineConfig() join.Config {
	c := j.s.Join
	names := make([]string, len(c.Of))
	for i, b := range c.Of {
		names[i] = b.Name
	}
	late := join.Amend
	switch {
	case c.Late.Drop:
		late = join.Drop
	case c.Late.Topic != "":
		late = join.Send
	}
	return join.Config{
		Branches: names, Within: c.Within, Require: c.Require, Late: late, ByEvent: c.By == nil,
		Lost: func(announced func(string) bool) map[string]string { return j.p.Lost(j.s, announced) },
		RowID: func(key string, events []string) string {
			if c.By == nil {
				return event.DerivedID(key, j.p.Group(j.s))
			}
			return event.DerivedID(key, j.p.Group(j.s), events...)
		},
		MaxKept: maxKept, MaxKeptBytes: maxKeptBytes, MaxDone: maxDone,
	}
}

// handle hands messages to their partitions' machines. It implements
// worker.HandlerFunc.
func (j *joiner) handle(ctx context.Context, ms []*worker.Message) ([]worker.Outcome, error) {
	for _, m := range ms {
		if err := j.open(ctx, m.Partition); err != nil {
			return nil, err
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	outcomes := make([]worker.Outcome, len(ms))
	now := time.Now()
	for i, m := range ms {
		p := j.parts[m.Partition]
		if p == nil { // taken away meanwhile; whoever has it reads this again
			outcomes[i] = worker.Held()
			continue
		}
		p.next[m.Topic] = m.Offset + 1
		effects, err := j.take(p.machine, m, now)
		if err != nil {
			outcomes[i] = worker.Failed(err)
			continue
		}
		outcomes[i] = worker.Held()
		j.perform(m.Partition, effects)
	}
	return outcomes, nil
}

// open makes sure that the partition's machine knows what it knew in an earlier
// life.
func (j *joiner) open(ctx context.Context, partition int32) error {
	j.mu.Lock()
	known := j.parts[partition] != nil
	err := j.coAssigned(partition)
	before := j.revocations
	j.mu.Unlock()
	if known || err != nil {
		return err
	}
	p := &joinPartition{machine: join.New(j.machineConfig()), next: map[string]int64{}}
	if err := j.state.load(ctx, partition, p.machine, j.branches); err != nil {
		// Nothing can be joined before the state is known: that is no record's fault.
		return &worker.Error{Class: worker.Outage, Stage: "process", Err: fmt.Errorf("reading the state of partition %d: %w", partition, err)}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.parts[partition] == nil && j.revocations == before {
		j.parts[partition] = p
	}
	return nil
}

// coAssigned checks that this member has the partition of every topic.
func (j *joiner) coAssigned(partition int32) error {
	for _, topic := range j.topics() {
		if !j.assigned[topic][partition] {
			return worker.NewError(worker.Fatal, fmt.Errorf(
				"partition %d of %s is not assigned to this member of group %s, which has other topics' partition %d: rows would never be whole; every member must read the same topics and use the range assignor",
				partition, topic, j.p.Group(j.s), partition))
		}
	}
	return nil
}

// take makes an event of a message for the machine. An error is the message's own.
func (j *joiner) take(m *join.Machine, msg *worker.Message, now time.Time) ([]join.Effect, error) {
	if msg.Topic == j.p.Outcomes() {
		o, err := parseOutcome(msg.Value)
		if err != nil {
			return nil, poison("decode", err)
		}
		if o.Branch != "" && o.Step != j.s.Name {
			return j.skip(msg), nil // of another join
		}
		return m.Announce(join.Announcement{
			Key: o.Event, Step: o.Step, Branch: o.Branch, DeadLetter: o.DeadLetter,
			Time: msg.Timestamp, Origin: j.origin(msg), Ref: msg,
		}, now), nil
	}
	branch, ok := j.branches[msg.Identity.Topic]
	if !ok {
		return nil, poison("process", fmt.Errorf("the record comes from %s, which join %s does not read", msg.Identity.Topic, j.s.Name))
	}
	format := j.p.Topic(branch.Topic).Format
	value, err := inRow(format, msg.Value)
	if err != nil {
		return nil, err
	}
	key := msg.Identity.Root
	if j.s.Join.By != nil {
		if key, err = j.key(format, msg); err != nil {
			return nil, err
		}
	}
	return m.Part(join.Part{
		Branch: branch.Name, Offset: msg.Offset, Key: key, Event: msg.Identity.ID, Time: msg.Timestamp, Value: value,
		Origin: j.origin(msg), Redriven: msg.Topic == j.p.Redrive(j.s), Ref: msg,
		Meta: &partMeta{key: msg.Key, record: msg.Record, id: msg.Identity},
	}, now), nil
}

// partMeta is what a row's record needs of a part besides its value.
type partMeta struct {
	key    []byte
	record *kgo.Record // headers; of a restored row the row's own record
	id     event.Identity

	detached bool
}

// detach lets go of the fetched bytes, megabytes perhaps, that the record of a
// row that is kept for long would hold on to.
func (m *partMeta) detach() {
	if m.detached {
		return
	}
	r := &kgo.Record{Topic: m.record.Topic, Partition: m.record.Partition, Offset: m.record.Offset, Timestamp: m.record.Timestamp,
		Headers: make([]kgo.RecordHeader, len(m.record.Headers))}
	for i, h := range m.record.Headers {
		r.Headers[i] = kgo.RecordHeader{Key: strings.Clone(h.Key), Value: bytes.Clone(h.Value)}
	}
	m.key, m.record, m.detached = bytes.Clone(m.key), r, true
}

// skip settles a message that says nothing to this join.
func (j *joiner) skip(m *worker.Message) []join.Effect {
	return []join.Effect{{Kind: join.Dropped, Refs: []join.Ref{m}}}
}

// key evaluates `by`.
func (j *joiner) key(format pipeline.Format, m *worker.Message) (string, error) {
	value, err := decode(format, m.Value)
	if err != nil {
		return "", err
	}
	v, err := j.s.Join.By.Eval(env(m, value))
	if err != nil {
		return "", evaluation("by", err)
	}
	if v == nil {
		return "", poison("by", errors.New("`by` is null: the record belongs to no row"))
	}
	data, err := json.Marshal(v)
	if err != nil {
		return "", poison("by", err)
	}
	return string(data), nil
}

// origin finds the branch that the root of a message came in by, if there is one.
func (j *joiner) origin(m *worker.Message) join.Origin {
	topic, partition, offset, ok := event.ParsePosition(rootPosition(j.p, m.Identity, m.Headers))
	branch, is := j.branches[topic]
	if !ok || !is || partition != m.Partition {
		return join.Origin{}
	}
	return join.Origin{Branch: branch.Name, Offset: offset}
}

func (j *joiner) onAssigned(m map[string][]int32) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for topic, ps := range m {
		for _, p := range ps {
			if j.assigned[topic] == nil {
				j.assigned[topic] = map[int32]bool{}
			}
			j.assigned[topic][p] = true
		}
	}
}

// onRevoked lets what is decided be written and forgets the rest: whoever gets
// the partitions reads it again.
func (j *joiner) onRevoked(m map[string][]int32, lost bool) {
	deadline := time.Now().Add(settleTimeout)
	timer := time.AfterFunc(settleTimeout, j.idle.Broadcast)
	defer timer.Stop()
	j.mu.Lock()
	defer j.mu.Unlock()
	for !lost && (len(j.queue) > 0 || j.busy) && time.Now().Before(deadline) {
		j.idle.Wait()
	}
	j.revocations++
	for topic, ps := range m {
		for _, p := range ps {
			delete(j.assigned[topic], p)
			delete(j.parts, p)
		}
	}
	j.queue = slices.DeleteFunc(j.queue, func(s settlement) bool { return j.parts[s.partition] == nil })
	for m := range j.rejected {
		if j.parts[m.Partition] == nil {
			delete(j.rejected, m) // the worker will not dead-letter it any more
		}
	}
}

// run ticks, settles and checkpoints until ctx ends. It must outlive the worker.
func (j *joiner) run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { j.settleAll(ctx) })
	wg.Go(func() { j.checkpointAll(ctx) })
	every := min(max(j.s.Join.Within/20, 10*time.Millisecond), time.Second)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case now := <-ticker.C:
			j.tick(now)
		}
	}
	wg.Wait()
}

func (j *joiner) tick(now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, n := range j.partitions() {
		j.perform(n, j.parts[n].machine.Tick(now))
	}
}

// partitions are the numbers of those that are open, sorted.
func (j *joiner) partitions() []int32 {
	out := make([]int32, 0, len(j.parts))
	for n := range j.parts {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}
