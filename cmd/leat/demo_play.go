package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/examples/support"
	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/deadletter"
	"github.com/leatdev/leat/worker"
)

const (
	demoInput = "support.messages"
	demoRows  = "support.desk"
	demoDLQ   = "support.dlq"
)

// play is the demo itself: messages in, rows out, one model lost and found, one
// dead letter redriven. It ends with errDemoDone, or when ctx ends.
func (d *demo) play(ctx context.Context, messages []support.Record) error {
	d.introduce(len(messages))
	cl, err := kgo.NewClient(append(d.house.reach,
		kgo.ConsumeTopics(demoRows, demoDLQ), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched, told := make(chan error, 1), make(chan struct{})
	go func() { watched <- d.watch(ctx, cl) }()
	go func() { defer close(told); d.tellPauses(ctx) }()
	defer func() { cancel(); <-told }()

	began := time.Now()
	if err := d.produce(ctx, cl, messages); err != nil {
		return err
	}
	if err := d.wait(ctx, watched, d.counted.firstRows); err != nil {
		return err
	}
	d.screen.say("\n%d messages in, %d joined rows out in %.1f s: %.0f a second.", len(messages), d.counted.rows, time.Since(began).Seconds(), float64(len(messages))/time.Since(began).Seconds())
	if err := d.fix(ctx); err != nil {
		return err
	}
	if err := d.wait(ctx, watched, d.counted.amendedRow); err != nil {
		return err
	}
	if err := d.counted.check(); err != nil {
		return err
	}
	d.screen.say("\nThe redriven letter has completed its row. Counted as records: %s.", d.counted)
	if d.once {
		return errDemoDone
	}
	d.screen.say("Ctrl-C ends the demo and removes its data. Next: %s dev, examples/support/README.md.", d.leat)
	<-ctx.Done()
	return nil
}

// wait waits for a moment of the tally, the end, or a watcher that failed.
func (d *demo) wait(ctx context.Context, watched <-chan error, moment <-chan struct{}) error {
	select {
	case <-moment:
		return nil
	case err := <-watched:
		return err
	case <-ctx.Done():
		if d.once {
			return fmt.Errorf("interrupted: %s", d.counted)
		}
		return errDemoDone
	}
}

// produce sends the messages at the demo's rate and kills a model in the middle.
func (d *demo) produce(ctx context.Context, cl *kgo.Client, messages []support.Record) error {
	tick := time.NewTicker(time.Duration(float64(time.Second) / d.rate))
	defer tick.Stop()
	failed := make(chan error, 1)
	for i, m := range messages {
		select {
		case <-ctx.Done():
			return errDemoDone
		case err := <-failed:
			return err
		case <-tick.C:
		}
		if i == len(messages)/4 {
			d.loseMood(ctx)
		}
		r := &kgo.Record{Topic: demoInput, Key: []byte(m.Key), Value: m.Value}
		cl.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				select {
				case failed <- fmt.Errorf("a message could not be produced: %w", err):
				default:
				}
			}
		})
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// loseMood kills the mood server and starts it again after the outage.
func (d *demo) loseMood(ctx context.Context) {
	old := d.mood.get()
	d.screen.note(cli.Yellow, "the process of the model mood is killed (pid %d)", old.cmd.Process.Pid)
	old.kill()
	time.AfterFunc(d.outage, func() {
		if ctx.Err() != nil {
			return
		}
		m, err := startModel(ctx, old.cmd.Path, "mood", old.addr)
		if err != nil {
			d.screen.note(cli.Red, "%v", err)
			return
		}
		d.screen.note(cli.Green, "mood is started again (pid %d)", m.cmd.Process.Pid)
		d.mood.set(m)
	})
}

// fix shows the dead letter's cause, repairs it, and redrives or says how.
func (d *demo) fix(ctx context.Context) error {
	box, err := deadletter.NewInbox(d.house.reach...)
	if err != nil {
		return err
	}
	defer box.Close()
	causes, err := box.Show(ctx, demoDLQ, deadletter.ByFingerprint)
	if err != nil {
		return err
	}
	for _, c := range causes {
		d.screen.note(cli.Red, "%d dead letter in %s (%s): %s", c.Open, demoDLQ, c.Class, c.Message)
	}
	d.screen.say("The fix: %s.", support.Fix)
	old := d.class.get()
	if err := old.stop(); err != nil {
		return err
	}
	repaired, err := startModel(ctx, old.cmd.Path, "class", old.addr, "--max-chars", strconv.Itoa(support.FixedMaxChars))
	if err != nil {
		return err
	}
	d.class.set(repaired)
	d.screen.say("Done: class runs with --max-chars %d. Now redrive the dead letter:", support.FixedMaxChars)
	d.screen.say("  %s", d.redriveLine())
	if !d.once {
		return nil
	}
	res, err := box.Redrive(ctx, deadletter.RedriveOptions{Topic: demoDLQ})
	if err != nil {
		return err
	}
	if res.Redriven == 0 {
		return errors.New("no dead letter was redriven")
	}
	return nil
}

// watch reads rows and dead letters and shows them until ctx ends.
func (d *demo) watch(ctx context.Context, cl *kgo.Client) error {
	for {
		fs := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for _, e := range fs.Errors() {
			return fmt.Errorf("reading %s: %w", e.Topic, e.Err)
		}
		var err error
		fs.EachRecord(func(r *kgo.Record) {
			if err == nil {
				err = d.see(r)
			}
		})
		if err != nil {
			return err
		}
	}
}

func (d *demo) see(r *kgo.Record) error {
	if r.Topic == demoDLQ {
		l, _ := deadletter.Read(r)
		d.counted.dead(l)
		d.screen.note(cli.Red, "dead letter %s of step %s: %s", l.ID(), l.Step, l.Message)
		return nil
	}
	var row map[string]any
	if err := json.Unmarshal(r.Value, &row); err != nil {
		return fmt.Errorf("%s/%d/%d is no row: %w", r.Topic, r.Partition, r.Offset, err)
	}
	d.screen.row(row)
	d.counted.row(r, row)
	return nil
}

// tellPauses says when a step pauses and when it goes on.
func (d *demo) tellPauses(ctx context.Context) {
	paused := map[string]bool{}
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		for _, s := range d.flow.Status() {
			name := s.Pipeline + "." + s.Step
			is := s.Worker.State == worker.StatePaused
			if is == paused[name] {
				continue
			}
			paused[name] = is
			if is {
				d.screen.note(cli.Yellow, "step %s pauses, nothing is lost and the others go on: %s", name, s.Worker.Pause.Err)
			} else {
				d.screen.note(cli.Green, "step %s goes on", name)
			}
		}
	}
}
