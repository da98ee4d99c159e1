// Command bench runs the same workloads on Leat and on the peers that it finds on
// this machine, in turn (A B C, A B C, ...), and writes a report: README.md tells
// how to run and read it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/leatdev/leat/bench/internal/limit"
	"github.com/leatdev/leat/bench/internal/peers"
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
	return newRunner(o).run(ctx)
}

func list() {
	fmt.Println("peers:", peers.Names())
	rows, _ := work.Rows()
	for _, r := range rows {
		fmt.Printf("%-12s %s %v\n", r.Name, r.About, r.Peers)
	}
}
