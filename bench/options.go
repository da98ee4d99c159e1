package main

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/work"
)

// options are the flags.
type options struct {
	rounds int
	out    string
	only   []string // rows; empty: all
	peers  []string
	smoke  bool
	budget time.Duration // when it is spent, every row has one round
	list   bool
	args   string // as they were given
	sizes  work.Sizes
}

func parse(args []string) (options, error) {
	o := options{sizes: work.Full, args: strings.Join(args, " ")}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&o.rounds, "rounds", 5, "how often each peer runs each row")
	f.StringVar(&o.out, "out", "", "directory for REPORT.md and the folder report/; default: here for a whole run, else a new one that is named at the end")
	only := f.String("only", "", "rows to run, with commas; default all")
	names := f.String("peers", "", "peers to run, with commas; default all that are here")
	f.BoolVar(&o.list, "list", false, "list rows and peers")
	f.BoolVar(&o.smoke, "smoke", false, "one short round of everything: shows that it works, in about a minute; the numbers mean nothing")
	size := f.Int64("big-log-gb", work.Full.BigLog>>30, "size of the log for start and growth, in GiB")
	f.DurationVar(&o.budget, "budget", 22*time.Minute, "when this time is spent, rows that are left have one round each")
	f.DurationVar(&o.sizes.Window, "window", work.Full.Window, "how long one measurement takes")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.sizes.BigLog = *size << 30
	if o.smoke {
		o.rounds, o.sizes = 1, work.Smoke
	}
	if o.rounds < 1 || *size < 1 || o.sizes.Window <= 0 || f.NArg() > 0 {
		return o, fmt.Errorf("--rounds %d, --big-log-gb %d, --window %v, arguments %q: want at least one round, 1 GiB, a time above 0 and no arguments",
			o.rounds, *size, o.sizes.Window, f.Args())
	}
	o.only, o.peers = split(*only), split(*names)
	if o.out == "" && len(o.only)+len(o.peers) == 0 && !o.smoke {
		o.out = "."
	}
	if len(o.peers) == 0 {
		o.peers = peers.Names()
		if o.smoke {
			o.peers = smokePeers
		}
	}
	rows, _ := work.Rows()
	for _, n := range o.only {
		if !slices.ContainsFunc(rows, func(r work.Row) bool { return r.Name == n }) {
			return o, fmt.Errorf("there is no row %q: `go run . --list` tells which there are", n)
		}
	}
	return o, nil
}

// smokePeers are one of each kind.
var smokePeers = []string{"leat", "kfake", "kfake-disk", "kafka", "nats"}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
