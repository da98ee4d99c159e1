package flow

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/leatdev/leat/pipeline"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// look asks the cluster which topics exist and takes over their partition counts.
func (ts *topicSet) look(ctx context.Context, cl *kgo.Client, pipelines []*pipeline.Pipeline) error {
	// Not by kadm, which may answer from a cache: this asks what exists just now.
	req := kmsg.NewPtrMetadataRequest()
	for _, t := range ts.all {
		rt := kmsg.NewMetadataRequestTopic()
		rt.Topic = kmsg.StringPtr(t.Name)
		req.Topics = append(req.Topics, rt)
	}
	res, err := req.RequestWith(ctx, cl)
	if err != nil {
		return fmt.Errorf("listing topics: %w", err)
	}
	for _, d := range res.Topics {
		if d.Topic == nil {
			continue
		}
		t := ts.byName[*d.Topic]
		switch err := kerr.ErrorForCode(d.ErrorCode); {
		case t == nil || err == kerr.UnknownTopicOrPartition:
		case err != nil && err != kerr.LeaderNotAvailable: // which a topic may be while it is made
			return fmt.Errorf("looking at topic %s: %w", t.Name, err)
		case len(d.Partitions) > 0:
			t.Exists = true
			t.Partitions = int32(len(d.Partitions))
		}
	}
	ts.derive(pipelines)
	return nil
}

// differences compares the declarations with what exists.
func (ts *topicSet) differences(ctx context.Context, adm *kadm.Client) ([]Difference, error) {
	var names []string
	for _, t := range ts.all {
		if t.Exists {
			names = append(names, t.Name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	configs, err := adm.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("reading topic configs: %w", err)
	}
	var out []Difference
	for _, t := range ts.all {
		if !t.Exists || t.declared == nil {
			continue
		}
		if want := t.declared.Partitions; want != 0 && want != t.Partitions {
			out = append(out, Difference{t.Name, "partitions", strconv.Itoa(int(want)), strconv.Itoa(int(t.Partitions))})
		}
		rc, err := configs.On(t.Name, nil)
		if err != nil || rc.Err != nil {
			continue // no permission to look
		}
		for _, c := range rc.Configs {
			declared := c.Key == "retention.ms" && t.declared.Retention != 0 || c.Key == "max.message.bytes" && t.declared.MaxBytes != 0
			if want := t.Configs[c.Key]; declared && c.MaybeValue() != want {
				out = append(out, Difference{t.Name, c.Key, want, c.MaybeValue()})
			}
		}
	}
	return out, nil
}

// create makes the topics that lack. Those whose partition count follows from a
// topic that does not exist yet come in a second round.
func (ts *topicSet) create(ctx context.Context, cl *kgo.Client, pipelines []*pipeline.Pipeline) error {
	for round := 0; ; round++ {
		var lacking []*Topic
		for _, t := range ts.all {
			if !t.Exists {
				lacking = append(lacking, t)
			}
		}
		if len(lacking) == 0 {
			return nil
		}
		if round > 1 { // a cluster of several brokers takes a moment to tell them all
			pause(ctx, createPoll)
		}
		if round > createPolls || ctx.Err() != nil {
			return fmt.Errorf("topic %s was created but the cluster does not list it: %w", lacking[0].Name, cmp.Or(ctx.Err(), context.DeadlineExceeded))
		}
		known := slices.ContainsFunc(lacking, func(t *Topic) bool { return t.Partitions > 0 })
		for _, t := range lacking {
			if t.Partitions == 0 && (known || t.Kind != KindInput) {
				continue
			}
			if err := createTopic(ctx, kadm.NewClient(cl), t); err != nil {
				return err
			}
		}
		if err := ts.look(ctx, cl, pipelines); err != nil {
			return err
		}
	}
}

// How often, and how many times, a new topic is looked for.
const (
	createPoll  = 100 * time.Millisecond
	createPolls = 100
)

func createTopic(ctx context.Context, adm *kadm.Client, t *Topic) error {
	partitions := t.Partitions
	if partitions == 0 {
		partitions = -1 // the cluster's default
	}
	configs := map[string]*string{}
	for k, v := range t.Configs {
		configs[k] = &v
	}
	res, err := adm.CreateTopics(ctx, partitions, -1, configs, t.Name)
	if err != nil {
		return fmt.Errorf("creating topic %s: %w", t.Name, err)
	}
	if r := res[t.Name]; r.Err != nil && r.Err != kerr.TopicAlreadyExists {
		return fmt.Errorf("creating topic %s: %w: %s", t.Name, r.Err, r.ErrMessage)
	}
	return nil
}

// checkJoins compares the partition counts of what joins read and write.
func (ts *topicSet) checkJoins(pipelines []*pipeline.Pipeline) error {
	var problems pipeline.Problems
	for _, p := range pipelines {
		for _, s := range p.Steps {
			if s.Join == nil {
				continue
			}
			names := append(s.Inputs(), s.To, p.Rows(s), p.Redrive(s))
			if s.Join.By == nil {
				names = append(names, p.Outcomes())
			}
			first := ts.byName[names[0]]
			for _, n := range names[1:] {
				if t := ts.byName[n]; t.Partitions != first.Partitions && t.Partitions > 0 && first.Partitions > 0 {
					problems = append(problems, pipeline.Problem{Pos: s.Join.Pos, Text: fmt.Sprintf(
						"join %s needs equal partition counts, for the parts of a row to meet: %s has %d, %s has %d; make a topic with the other's count and a step that copies into it",
						s.Name, first.Name, first.Partitions, t.Name, t.Partitions)})
				}
			}
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// Report is what Check and Prepare found.
type Report struct {
	Topics      []*Topic     `json:"topics"`
	Differences []Difference `json:"differences,omitempty"`
}

// Check compares the pipelines with the cluster and changes nothing. Its error
// is a pipeline.Problems when a join's topics have unequal partition counts.
func (f *Flow) Check(ctx context.Context) (*Report, error) {
	var report *Report
	err := f.withClient(ctx, func(cl *kgo.Client) error {
		var err error
		_, report, err = f.check(ctx, cl)
		return err
	})
	return report, err
}

func (f *Flow) check(ctx context.Context, cl *kgo.Client) (*topicSet, *Report, error) {
	ts := topics(f.pipelines)
	if err := ts.look(ctx, cl, f.pipelines); err != nil {
		return nil, nil, err
	}
	if err := ts.checkJoins(f.pipelines); err != nil {
		return nil, nil, err
	}
	diffs, err := ts.differences(ctx, kadm.NewClient(cl))
	return ts, &Report{Topics: ts.all, Differences: diffs}, err
}

// Prepare is Check, and then creates the topics that lack.
func (f *Flow) Prepare(ctx context.Context) (*Report, error) {
	var report *Report
	err := f.withClient(ctx, func(cl *kgo.Client) error {
		ts, r, err := f.check(ctx, cl)
		if err != nil {
			return err
		}
		report = r
		if err := ts.create(ctx, cl, f.pipelines); err != nil {
			return err
		}
		return ts.checkJoins(f.pipelines)
	})
	return report, err
}
