package flow

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Explain tells what would happen if the pipelines ran, and changes nothing.
// Without a cluster it tells what follows from the declarations.
func (f *Flow) Explain(ctx context.Context) (*Plan, error) {
	if len(f.cfg.Seeds) == 0 {
		ts := topics(f.pipelines)
		ts.derive(f.pipelines)
		return f.plan(ts, nil), nil
	}
	var plan *Plan
	err := f.withClient(ctx, func(cl *kgo.Client) error {
		ts, report, err := f.check(ctx, cl)
		if err != nil {
			return err
		}
		plan = f.plan(ts, report.Differences)
		plan.Cluster = strings.Join(f.cfg.Seeds, ",")
		b := &backlogs{adm: kadm.NewClient(cl), topics: ts}
		i := 0
		for _, p := range f.pipelines {
			for _, s := range p.Steps {
				if plan.Steps[i].Backlog, err = b.of(ctx, p, s); err != nil {
					return err
				}
				i++
			}
		}
		return nil
	})
	return plan, err
}

// acks is true of every cluster: a broker does not tell which one it is.
const acks = "results and offsets are written with acks=all: with Leat's own broker they are on disk (fsync) before a record counts as done; with another cluster it means what that cluster's replication makes of acks=all, not fsync"

func (f *Flow) plan(ts *topicSet, diffs []Difference) *Plan {
	plan := &Plan{Topics: ts.all, Differences: diffs, Acks: acks}
	for _, p := range f.pipelines {
		for _, s := range p.Steps {
			plan.Steps = append(plan.Steps, planStep(ts, p, s))
		}
	}
	return plan
}

func planStep(ts *topicSet, p *pipeline.Pipeline, s *pipeline.Step) StepPlan {
	sp := StepPlan{
		Pipeline: p.Name, Step: s.Name, Reads: s.Inputs(), Internal: []string{p.Redrive(s)}, Writes: []string{s.To},
		Partitions: ts.byName[s.Inputs()[0]].Partitions, Group: p.Group(s), DLQ: s.DLQ, Start: s.Start.String(),
		Order: string(s.Order),
	}
	switch {
	case s.Join != nil:
		planJoin(&sp, p, s)
		return sp
	case s.Model != "":
		spec := p.Model(s.Model)
		sp.Kind, sp.Model, sp.Protocol, sp.Endpoint = "call", s.Model, string(spec.Protocol), spec.URL.String()
		sp.BatchMax, sp.BatchWait, sp.Concurrency = s.Batch.Max, s.Batch.Wait, concurrency(p, s)
		sp.Retry = fmt.Sprintf("%d attempts, %s..%s", s.Retry.Attempts, s.Retry.Min, s.Retry.Max)
		sp.Guarantee = "at least once: a record is committed when its result is acknowledged; after a kill those in flight are called again, with the same idempotency key, and their results repeat with the same event id"
	case s.When != nil:
		sp.Kind = "filter"
	case s.Output != nil:
		sp.Kind = "map"
	default:
		sp.Kind = "copy"
	}
	if sp.Guarantee == "" {
		sp.Guarantee = "at least once: a record is committed when its result is acknowledged; after a kill those in flight come again, with the same event id"
	}
	switch s.Order {
	case pipeline.OrderKey:
		sp.Guarantee += "; the order of a key is kept"
	case pipeline.OrderNone:
		sp.Guarantee += "; no order is kept"
	case pipeline.OrderStrict:
		sp.Guarantee += "; the order of a partition is kept: a record that fails blocks it, and is never dead-lettered"
	}
	if p.Announces(s) {
		sp.Writes = append(sp.Writes, p.Outcomes())
	}
	return sp
}

func planJoin(sp *StepPlan, p *pipeline.Pipeline, s *pipeline.Step) {
	sp.Kind = "join"
	by := "event"
	if s.Join.By != nil {
		by = s.Join.By.String()
	} else {
		sp.Internal = append(sp.Internal, p.Outcomes())
	}
	sp.Writes = append(sp.Writes, p.Rows(s))
	if t := s.Join.Late.Topic; t != "" {
		sp.Writes = append(sp.Writes, t)
	}
	names := make([]string, len(s.Join.Of))
	for i, b := range s.Join.Of {
		names[i] = b.Name
	}
	sp.Join = fmt.Sprintf("of %s by %s within %s, late: %s", strings.Join(names, ", "), by, s.Join.Within, s.Join.Late)
	if len(s.Join.Require) > 0 {
		sp.Join += ", requires " + strings.Join(s.Join.Require, ", ")
	}
	sp.Guarantee = "at least once: parts are held uncommitted until their row is acknowledged; after a kill a row that was in flight may repeat with the same event id"
}

// backlogs finds out what groups have not read.
type backlogs struct {
	adm    *kadm.Client
	topics *topicSet
}

// retentionMargin is how near to its retention an unread record is warned about.
const retentionMargin = 0.8

func (b *backlogs) of(ctx context.Context, p *pipeline.Pipeline, s *pipeline.Step) (*Backlog, error) {
	var names []string
	for _, t := range append(s.Inputs(), p.Redrive(s)) {
		if b.topics.byName[t].Exists {
			names = append(names, t)
		}
	}
	out := &Backlog{New: true}
	if len(names) == 0 {
		return out, nil
	}
	committed, err := worker.Committed(ctx, b.adm, p.Group(s))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := b.topic(ctx, name, s.Start, committed, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (b *backlogs) topic(ctx context.Context, name string, start pipeline.Start, committed kadm.OffsetResponses, out *Backlog) error {
	starts, err1 := b.adm.ListStartOffsets(ctx, name)
	ends, err2 := b.adm.ListEndOffsets(ctx, name)
	if err1 != nil || err2 != nil {
		return fmt.Errorf("reading the offsets of topic %s: %v %v", name, err1, err2)
	}
	begin := starts
	var err error
	switch {
	case start.Latest:
		begin = ends
	case !start.At.IsZero():
		if begin, err = b.adm.ListOffsetsAfterMilli(ctx, start.At.UnixMilli(), name); err != nil {
			return fmt.Errorf("reading the offsets of topic %s: %w", name, err)
		}
	}
	old, err := b.nearRetention(ctx, name)
	if err != nil {
		return err
	}
	for _, end := range ends[name] {
		first, _ := starts.Lookup(name, end.Partition)
		at, _ := begin.Lookup(name, end.Partition)
		next := at.Offset
		if c, ok := committed.Lookup(name, end.Partition); ok && c.At >= 0 {
			out.New = false
			next = c.At
			if lost := first.Offset - next; lost > 0 {
				out.Warnings = append(out.Warnings, fmt.Sprintf("retention has taken %d records of %s/%d that were not read; the step will stop and say so until its offset is set (leat group seek)", lost, name, end.Partition))
			}
		}
		next = max(next, first.Offset)
		out.Records += max(0, end.Offset-next)
		if o, ok := old.Lookup(name, end.Partition); ok && o.Offset > next {
			out.Warnings = append(out.Warnings, fmt.Sprintf("retention will soon take %d records of %s/%d that are not read yet", o.Offset-next, name, end.Partition))
		}
	}
	return nil
}

// nearRetention returns, per partition, the offset of the first record that is
// not yet near the end of its retention.
func (b *backlogs) nearRetention(ctx context.Context, name string) (kadm.ListedOffsets, error) {
	configs, err := b.adm.DescribeTopicConfigs(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("reading the config of topic %s: %w", name, err)
	}
	rc, err := configs.On(name, nil)
	if err != nil || rc.Err != nil {
		return nil, nil // no permission to look: no warning
	}
	get := func(key string) string {
		i := slices.IndexFunc(rc.Configs, func(c kadm.Config) bool { return c.Key == key })
		if i < 0 {
			return ""
		}
		return rc.Configs[i].MaybeValue()
	}
	ms, err := strconv.ParseInt(get("retention.ms"), 10, 64)
	if err != nil || ms <= 0 || !strings.Contains(get("cleanup.policy"), "delete") {
		return nil, nil
	}
	before := time.Now().Add(-time.Duration(float64(ms)*retentionMargin) * time.Millisecond)
	listed, err := b.adm.ListOffsetsAfterMilli(ctx, before.UnixMilli(), name)
	if err != nil {
		return nil, fmt.Errorf("reading the offsets of topic %s: %w", name, err)
	}
	return listed, nil
}
