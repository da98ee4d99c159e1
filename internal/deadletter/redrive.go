package deadletter

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/worker"
	"github.com/twmb/franz-go/pkg/kgo"
)

// RedriveOptions say which letters go where, and how fast.
type RedriveOptions struct {
	// Topic is the dead-letter topic.
	Topic string
	// Where is an expression (expr-lang) over value, key, headers, topic,
	// partition, offset, time, class, reason and step; empty takes every open
	// letter.
	Where string
	// Fingerprint, if set, takes only letters of that cause.
	Fingerprint string
	// Since, if set, takes only letters that failed first at that time or later.
	Since time.Time
	// At, if set, takes only letters at these places (topic/partition/offset of
	// the letter).
	At []string
	// To is the destination topic. When empty each letter goes to
	// <pipeline>.<step>.redrive, which the step that failed reads, and no other.
	To string
	// Max is the most letters to redrive; 0 for no limit.
	Max int
	// Rate is the most per second; 50 when zero, without limit when negative.
	Rate float64
	// MaxRedrives stops a letter from going round: those that were redriven this
	// often are left (and counted as Capped). 3 when zero.
	MaxRedrives int
	// DryRun changes nothing and says what would be done.
	DryRun bool
	// OnLetter, if set, is called after each letter that was redriven.
	OnLetter func(RedrivenLetter)
}

// RedrivenLetter is one letter that was put on its way again.
type RedrivenLetter struct {
	Letter Letter `json:"letter"`
	To     string `json:"to"` // topic/partition/offset
}

// RedriveResult is what a redrive did, or would do.
type RedriveResult struct {
	// ID names this redrive; redriven records and their dispositions carry it.
	ID     string `json:"id"`
	Topic  string `json:"topic"`
	DryRun bool   `json:"dryRun"`
	// Open letters were looked at, Matched of them wanted; Redriven went.
	Open     int `json:"open"`
	Matched  int `json:"matched"`
	Redriven int `json:"redriven"`
	// Capped were wanted but had been redriven too often, FilterFailed could not be
	// judged by the filter (FilterError is the first such failure).
	Capped       int    `json:"capped"`
	FilterFailed int    `json:"filterFailed"`
	FilterError  string `json:"filterError,omitempty"`
	// Routes counts letters by destination, Causes groups those that go.
	Routes map[string]int `json:"routes"`
	Causes []Cause        `json:"causes"`
}

// Redrive puts open letters back on their way: key, value, timestamp and headers as
// they were before the failure, plus where they came from (so that their event ids
// stay what they were) and how often they were redriven. Each is acknowledged, and
// noted in StateTopic, before the next, so ending ctx loses nothing and repeats
// nothing; repeating the command goes on with what is still open. The result is
// valid also when there is an error.
func (b *Inbox) Redrive(ctx context.Context, o RedriveOptions) (RedriveResult, error) {
	res := RedriveResult{ID: newID(), Topic: o.Topic, DryRun: o.DryRun, Routes: map[string]int{}}
	if o.MaxRedrives == 0 {
		o.MaxRedrives = 3
	}
	if o.Rate == 0 {
		o.Rate = 50
	}
	f, err := newFilter(o.Where)
	if err != nil {
		return res, err
	}
	var chosen []*Letter
	cs := newCauses()
	err = b.letters(ctx, o.Topic, false, func(l *Letter) error {
		res.Open++
		if ok, err := o.wants(f, l); err != nil {
			res.FilterFailed++
			if res.FilterError == "" {
				res.FilterError = err.Error()
			}
			return nil
		} else if !ok {
			return nil
		}
		res.Matched++
		if l.Redrives >= o.MaxRedrives {
			res.Capped++
			return nil
		}
		if o.Max > 0 && len(chosen) >= o.Max {
			return nil
		}
		to, err := o.destination(l)
		if err != nil {
			return err
		}
		res.Routes[to]++
		cs.add(l.Fingerprint, l)
		chosen = append(chosen, l)
		return nil
	})
	res.Causes = cs.sorted()
	if err != nil || o.DryRun || len(chosen) == 0 {
		return res, err
	}
	if err := b.checkRoutes(ctx, res.Routes); err != nil {
		return res, err
	}
	if err := b.ensureState(ctx); err != nil {
		return res, err
	}
	err = b.send(ctx, o, chosen, &res)
	// Progress is told even when ctx has ended.
	tell, cancel := context.WithTimeout(context.WithoutCancel(ctx), idleLimit)
	defer cancel()
	return res, errors.Join(err, b.progress(tell, o.Topic))
}

// wants applies the options' conditions.
func (o *RedriveOptions) wants(f *filter, l *Letter) (bool, error) {
	if o.Fingerprint != "" && l.Fingerprint != o.Fingerprint ||
		l.failedAt().Before(o.Since) ||
		len(o.At) > 0 && !slices.Contains(o.At, l.ID()) {
		return false, nil
	}
	return f.match(l)
}

func (o *RedriveOptions) destination(l *Letter) (string, error) {
	if o.To != "" {
		return o.To, nil
	}
	if step := l.stepName(); step != "" {
		return step + ".redrive", nil
	}
	example := "--to TOPIC"
	if l.Source.Topic != "" {
		example = "--to " + l.Source.Topic + ", where it came from"
	}
	return "", fmt.Errorf("dead letter %s does not say which pipeline and step it failed in (%s headers); say where to put it, for example %s, or leave it out with --where", l.ID(), or(string(l.Dialect), "no dead-letter"), example)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// checkRoutes refuses before anything is sent when a destination is missing:
// creating it here would give it the wrong number of partitions and no reader.
func (b *Inbox) checkRoutes(ctx context.Context, routes map[string]int) error {
	for _, to := range slices.Sorted(maps.Keys(routes)) {
		exists, err := b.exists(ctx, to)
		if err != nil {
			return err
		}
		if !exists {
			return fmt.Errorf("the topic %q does not exist: start the pipeline (it creates the redrive topics of its steps), or choose another with --to", to)
		}
	}
	return nil
}

func (b *Inbox) send(ctx context.Context, o RedriveOptions, chosen []*Letter, res *RedriveResult) error {
	next := time.Now()
	for _, l := range chosen {
		if o.Rate > 0 {
			if err := sleepUntil(ctx, next); err != nil {
				return err
			}
			next = next.Add(time.Duration(float64(time.Second) / o.Rate))
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		to, err := o.destination(l)
		if err != nil {
			return err
		}
		r := redriven(l, to, res.ID)
		// The pair of writes is not cut in two by ctx: that would repeat a record.
		pair := context.WithoutCancel(ctx)
		if err := b.cl.ProduceSync(pair, r).FirstErr(); err != nil {
			return fmt.Errorf("redriving %s to %s: %w", l.ID(), to, err)
		}
		res.Redriven++
		d := Disposition{State: Redriven, At: time.Now().UTC(), EventID: l.EventID, RedriveID: res.ID, To: event.Position(r.Topic, r.Partition, r.Offset)}
		s, err := stateRecord(l, d)
		if err == nil {
			err = b.cl.ProduceSync(pair, s).FirstErr()
		}
		if err != nil {
			return fmt.Errorf("%s was redriven to %s, but that could not be noted in %s, so repeating this command redrives it again: %w", l.ID(), d.To, StateTopic, err)
		}
		l.State = Redriven
		if o.OnLetter != nil {
			o.OnLetter(RedrivenLetter{Letter: *l, To: d.To})
		}
	}
	return nil
}

// redriven makes the record that goes back in.
func redriven(l *Letter, to, id string) *kgo.Record {
	r := l.Original()
	r.Topic, r.Partition = to, l.Partition
	if l.Source.Partition >= 0 {
		r.Partition = l.Source.Partition
	}
	if _, ok := event.Header(r.Headers, event.HeaderOrigin); !ok && l.Source.Topic != "" && l.Source.Partition >= 0 && l.Source.Offset >= 0 {
		r.Headers = event.SetHeader(r.Headers, event.HeaderOrigin, event.Position(l.Source.Topic, l.Source.Partition, l.Source.Offset))
	}
	r.Headers = event.SetHeader(r.Headers, worker.HeaderDLQRedriveCount, strconv.Itoa(l.Redrives+1))
	r.Headers = event.SetHeader(r.Headers, worker.HeaderDLQRedriveID, id)
	return r
}

// progress commits, as Group, the first letter of each partition that is still open.
func (b *Inbox) progress(ctx context.Context, topic string) error {
	_, ends, err := b.bounds(ctx, topic)
	if err != nil {
		return err
	}
	first := ends
	err = b.letters(ctx, topic, false, func(l *Letter) error {
		first[topic][l.Partition] = min(first[topic][l.Partition], l.Offset)
		return nil
	})
	if err != nil {
		return err
	}
	return b.commitFirstOpen(ctx, first)
}

func sleepUntil(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func newID() string { return "rd-" + rand.Text()[:12] }
