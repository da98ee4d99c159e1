// Command serve runs one of the example's models as a process of its own.
//
//	go run ./examples/support/serve tagger                             # protocol exec: JSON lines on stdin and stdout
//	go run ./examples/support/serve mood  --listen 127.0.0.1:8700      # protocol v2
//	go run ./examples/support/serve class --listen 127.0.0.1:8701      # protocol http, POST /classify
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/leatdev/leat/examples/support"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("say which model: tagger, mood or class")
	}
	server := support.Server{Model: args[0], Stdin: os.Stdin, Stdout: os.Stdout,
		Ready: func(url string) { fmt.Fprintf(os.Stderr, "%s: %s\n", args[0], url) }}
	flags := flag.NewFlagSet("serve "+args[0], flag.ContinueOnError)
	flags.StringVar(&server.Weights, "weights", "", "folder of weights that train wrote; empty for the shipped ones")
	ctx := context.Background()
	if args[0] != "tagger" { // which ends with its input, or at once with a signal
		flags.StringVar(&server.Listen, "listen", "127.0.0.1:0", "address")
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		defer stop()
	}
	if args[0] == "class" {
		flags.IntVar(&server.MaxChars, "max-chars", support.DefaultMaxChars, "longest text that it reads, in characters")
	}
	if err := flags.Parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	return server.Run(ctx)
}
