package flow

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Plan is what would happen if the pipelines ran: what `leat explain` shows. Its
// JSON form is stable.
type Plan struct {
	// Cluster says what was looked at; empty without one.
	Cluster string     `json:"cluster,omitempty"`
	Steps   []StepPlan `json:"steps"`
	Topics  []*Topic   `json:"topics"`
	// Differences are declarations that existing topics do not meet.
	Differences []Difference `json:"differences,omitempty"`
	// Acks is what a written record means on this cluster.
	Acks string `json:"acks"`
}

// StepPlan is one step of a Plan.
type StepPlan struct {
	Pipeline string   `json:"pipeline"`
	Step     string   `json:"step"`
	Kind     string   `json:"kind"` // call, filter, copy or join
	Reads    []string `json:"reads"`
	// Internal topics are read besides: redrive, outcomes.
	Internal []string `json:"internal"`
	Writes   []string `json:"writes"`
	// Partitions is the count of the first input; 0 when it is not known.
	Partitions int32  `json:"partitions"`
	Group      string `json:"group"`
	Guarantee  string `json:"guarantee"`
	Order      string `json:"order,omitempty"`
	Model      string `json:"model,omitempty"`
	Protocol   string `json:"protocol,omitempty"`
	Endpoint   string `json:"endpoint,omitempty"`
	// BatchMax and BatchWait bound a call.
	BatchMax    int           `json:"batchMax,omitempty"`
	BatchWait   time.Duration `json:"batchWait,omitempty"`
	Concurrency int           `json:"concurrency,omitempty"`
	Retry       string        `json:"retry,omitempty"`
	Join        string        `json:"join,omitempty"`
	DLQ         string        `json:"dlq"`
	Start       string        `json:"start"`
	// Backlog is how many records it has to read; nil without a cluster.
	Backlog *Backlog `json:"backlog,omitempty"`
}

// Backlog is what a step's group has not read.
type Backlog struct {
	// New says that the group has committed nothing yet: Records is then how many
	// it would read from where it starts, else its lag.
	New     bool  `json:"new"`
	Records int64 `json:"records"`
	// Warnings tell of records that retention has taken or is about to take
	// before they are read.
	Warnings []string `json:"warnings,omitempty"`
}

// WriteText writes the plan as tables for people.
func (p *Plan) WriteText(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "STEP\tREADS\tWRITES\tMODEL\tORDER\tBATCH\tDEAD LETTERS\tBACKLOG")
	for _, s := range p.Steps {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Group, strings.Join(s.Reads, ", "), strings.Join(s.Writes, ", "),
			dash(s.modelText()), dash(s.Order), dash(s.batchText()), dash(s.DLQ), dash(s.backlogText()))
	}
	fmt.Fprintln(tw)
	fmt.Fprintln(tw, "TOPIC\tFOR\tPARTITIONS\tSTATE\tCONFIG")
	for _, t := range p.Topics {
		n := "cluster's default"
		if t.Partitions > 0 {
			n = fmt.Sprint(t.Partitions)
		}
		exists := "will be created"
		switch {
		case p.Cluster == "":
			exists = "-"
		case t.Exists:
			exists = "exists"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", t.Name, t.Kind, n, exists, dash(t.configText()))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nGUARANTEES")
	for i, s := range p.Steps {
		if slices.ContainsFunc(p.Steps[:i], func(o StepPlan) bool { return o.Guarantee == s.Guarantee }) {
			continue
		}
		var groups []string
		for _, o := range p.Steps[i:] {
			if o.Guarantee == s.Guarantee {
				groups = append(groups, o.Group)
			}
		}
		fmt.Fprintf(w, "  %s:\n    %s\n", strings.Join(groups, ", "), s.Guarantee)
	}
	fmt.Fprintf(w, "  acks:\n    %s\n", p.Acks)
	for _, d := range p.Differences {
		fmt.Fprintf(w, "warning: %s; existing topics are not altered\n", d)
	}
	for _, s := range p.Steps {
		if s.Backlog == nil {
			continue
		}
		for _, warning := range s.Backlog.Warnings {
			fmt.Fprintf(w, "warning: %s: %s\n", s.Group, warning)
		}
	}
	_, err := fmt.Fprint(w, offline(p.Cluster))
	return err
}

func offline(cluster string) string {
	if cluster == "" {
		return "no cluster was asked: what exists and how much there is to read is not known\n"
	}
	return ""
}

func dash(s string) string { return cmp.Or(s, "-") }

func (s *StepPlan) modelText() string {
	if s.Model == "" {
		return s.Kind
	}
	return s.Model + " (" + s.Protocol + ")"
}

func (s *StepPlan) batchText() string {
	if s.BatchMax <= 1 {
		return ""
	}
	return fmt.Sprintf("%d / %s", s.BatchMax, s.BatchWait)
}

func (s *StepPlan) backlogText() string {
	switch {
	case s.Backlog == nil:
		return ""
	case s.Backlog.New:
		return fmt.Sprintf("new: would read %d from %s", s.Backlog.Records, s.Start)
	}
	return fmt.Sprintf("lag %d", s.Backlog.Records)
}

func (t *Topic) configText() string {
	var out []string
	for _, k := range []string{"cleanup.policy", "retention.ms", "max.message.bytes"} {
		if v, ok := t.Configs[k]; ok {
			out = append(out, k+"="+v)
		}
	}
	return strings.Join(out, " ")
}
