// Command bench starts Leat and the peers it finds on this machine, in turn
// (A B C, A B C, ...), and reports medians: how soon after its start a broker on
// an empty directory answers, and what it uses while nothing happens.
//
// Peers: kfake, in process of its own; Apache Kafka, if java and its jars are
// here (KAFKA_LIBS, or ~/.cache/kafka-*/libs). A peer that is not here is named
// as skipped. Throughput and latency of any broker are for `leat bench`.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	rounds int
	settle time.Duration
	out    string
	only   string
}

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&o.rounds, "rounds", 7, "starts of each broker")
	f.DurationVar(&o.settle, "settle", 10*time.Second, "how long a broker idles before its memory is read")
	f.StringVar(&o.out, "out", "", "directory for report.md and report.json; default: the report on standard output")
	f.StringVar(&o.only, "only", "", "one peer beside leat: kfake or kafka; default all that are here")
	smoke := f.Bool("smoke", false, "few and short rounds: shows that everything works, in under a minute")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if *smoke {
		o.rounds, o.settle = 2, time.Second
	}
	if o.rounds < 1 || f.NArg() > 0 {
		return o, fmt.Errorf("--rounds %d, arguments %q: want at least one round and no arguments", o.rounds, f.Args())
	}
	return o, nil
}

func run(args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	work, err := os.MkdirTemp("", "leat-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	peers, skipped, err := findPeers(ctx, work, o.only)
	if err != nil {
		return err
	}
	runs := map[string][]measurement{}
	for round := range o.rounds {
		for _, p := range peers {
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, o.rounds, p.name)
			m, err := measure(ctx, p, filepath.Join(work, fmt.Sprintf("%s-%d", p.name, round)), o.settle)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			runs[p.name] = append(runs[p.name], m)
		}
	}
	r := newReport(o, peers, skipped, runs)
	if o.out == "" {
		return r.markdown(os.Stdout)
	}
	return r.write(o.out)
}
