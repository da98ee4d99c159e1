package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/examples/support"
	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/flow"
	"github.com/leatdev/leat/internal/life"
	"github.com/leatdev/leat/internal/obs"
)

func (a *app) demoCommand() *cobra.Command {
	d := &demo{app: a}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch a support desk of six models work, lose one, and get a dead letter back",
		Long: `Run the support desk of examples/support: a broker in a temporary directory, six models
(Go functions, a child process, two local HTTP servers), and the example's own messages at
a rate that can be read. Every joined row is printed as it arrives. In the middle one
model dies for a few seconds: its step pauses, the others go on. One message is too long
for one model: its dead letter, the fix and the line that redrives it are shown.

With --once the demo redrives by itself, ends when all messages are done, and exits 0 only
if every record that went in has its row, and every part that lacked its dead letter.`,
		Example: "  leat demo\n  leat demo --once --rate 200",
		GroupID: "server",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context()) },
	}
	f := cmd.Flags()
	f.BoolVar(&d.once, "once", false, "end by itself, and count")
	f.Float64Var(&d.rate, "rate", 25, "messages per second")
	f.StringVar(&d.listen, "listen", defaultListen, "host:port for Kafka clients; another port is taken when it is in use")
	f.DurationVar(&d.outage, "outage", 3*time.Second, "how long the model stays dead")
	return cmd
}

// demo is one run of the demonstration.
type demo struct {
	*app
	once   bool
	rate   float64
	listen string
	outage time.Duration

	dir     string
	file    string // the pipeline file
	leat    string // how to call this program from a shell
	house   *house
	flow    *flow.Flow
	mood    modelSlot
	class   modelSlot
	screen  screen
	counted *demoTally
}

func (d *demo) run(ctx context.Context) (err error) {
	if d.rate <= 0 || math.IsInf(d.rate, 0) || math.IsNaN(d.rate) {
		return cli.Usagef("--rate %v: messages per second must be more than 0", d.rate)
	}
	messages, err := support.Messages()
	if err != nil {
		return err
	}
	if d.dir, err = os.MkdirTemp("", "leat-demo-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	d.screen = screen{app: d.app}
	d.counted = newDemoTally(len(messages))
	d.leat = howToCall()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := d.startModels(ctx); err != nil {
		return err
	}
	defer d.mood.stop()
	defer d.class.stop()
	log, err := obs.NewLogger(d.Err, "text", "error") // the screen is for the play
	if err != nil {
		return err
	}
	d.house = newHouse(brokerOptions{
		data: filepath.Join(d.dir, "data"), listen: d.listen, configs: map[string]string{rebalanceDelay: "0"},
	}, log)
	pipelines, err := flow.Load(d.file)
	if err != nil {
		return err
	}
	parts := []life.Part{d.brokerPart(), d.house.pipelinesPart(func() *flow.Flow {
		d.flow = newFlow([]string{d.house.server.Addr()}, d.house.reach, log, pipelines)
		return d.flow
	})}
	play := life.Part{Name: "demo", Run: func(soft, _ context.Context) error { return d.play(soft, messages) }}
	err = d.house.run(ctx, nil, append(parts, play)...)
	if errors.Is(err, errDemoDone) {
		return nil
	}
	return err
}

// errDemoDone ends the house when the play is over.
var errDemoDone = errors.New("the demo is over")

// brokerPart is the house's, on another port when the usual one is taken.
func (d *demo) brokerPart() life.Part {
	p := d.house.brokerPart()
	start := p.Start
	p.Start = func(ctx context.Context) error {
		err := start(ctx)
		if errors.Is(err, syscall.EADDRINUSE) {
			d.screen.say("%s is in use, so the demo's broker takes another port.", d.listen)
			d.house.o.listen = "127.0.0.1:0"
			err = start(ctx)
		}
		return err
	}
	return p
}

// startModels starts the two servers and writes the pipeline file that names them.
func (d *demo) startModels(ctx context.Context) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	mood, err := startModel(ctx, exe, "mood", "127.0.0.1:0")
	if err != nil {
		return err
	}
	d.mood.set(mood)
	class, err := startModel(ctx, exe, "class", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, d.mood.stop())
	}
	d.class.set(class)
	places := support.Places{MoodURL: mood.url, ClassURL: class.url, Tagger: []string{exe, demoModelCommand, "tagger"}}
	d.file = filepath.Join(d.dir, "support.yaml")
	return os.WriteFile(d.file, []byte(places.At()), 0o644)
}

// at is the flag that leads a command to the demo's broker.
func (d *demo) at() string {
	if addr := d.house.server.Addr(); addr != defaultListen {
		return " -B " + addr
	}
	return ""
}

func (d *demo) introduce(n int) {
	addr := d.house.server.Addr()
	models, err := support.Open("")
	if err == nil {
		for _, card := range models.Cards() {
			d.screen.say("%s", card)
		}
	}
	d.screen.say("")
	d.screen.say("Kafka at %s, pipeline in %s; %d messages at %g a second. Meanwhile, in another terminal:", addr, d.file, n, d.rate)
	d.screen.say("  kcat -b %s -t support.desk -C -o beginning", addr)
	d.screen.say("  %s topic list%s", d.leat, d.at())
	d.screen.say("  %s explain %s%s", d.leat, d.file, d.at())
	d.screen.say("  %s dlq list%s", d.leat, d.at())
	d.screen.say("")
}

func (d *demo) redriveLine() string {
	return fmt.Sprintf("%s dlq redrive support.dlq -y%s", d.leat, d.at())
}
