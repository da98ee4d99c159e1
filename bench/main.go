// Command bench runs the same workloads on Leat and on the peers that it finds on
// this machine, in turn (A B C, A B C, ...), and writes a report: README.md tells
// how to run and read it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/leatdev/leat/bench/internal/limit"
	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/report"
	"github.com/leatdev/leat/bench/internal/work"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 && args[0] == limit.Command {
		return limit.Child(args[1])
	}
	if len(args) > 0 && args[0] == "report" {
		return again(args[1:])
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.list {
		list()
		return nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return newRunner(o).all(ctx)
}

// again makes the report anew from the measurements of a run, an interrupted one perhaps.
func again(args []string) error {
	f := flag.NewFlagSet("report", flag.ContinueOnError)
	from := f.String("from", "report/raw.json", "measurements of a run")
	out := f.String("out", ".", "directory for REPORT.md and the folder report/")
	if err := f.Parse(args); err != nil {
		return err
	}
	r, err := report.Load(*from)
	if err != nil {
		return err
	}
	return save(r, *out)
}

// remarksFile is what somebody wrote about the figures; it becomes a part of the report.
const remarksFile = "remarks.md"

func save(r report.Run, out string) error {
	remarks, err := os.ReadFile(remarksFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return r.Save(out, string(remarks))
}

func list() {
	fmt.Println("peers:", peers.Names())
	rows, _ := work.Rows()
	for _, r := range rows {
		fmt.Printf("%-12s %s %v\n", r.Name, r.About, r.Peers)
	}
}
