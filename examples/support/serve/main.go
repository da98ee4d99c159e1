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
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/leatdev/leat/examples/support"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("say which model: tagger, mood or class")
	}
	flags := flag.NewFlagSet("serve "+args[0], flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address of mood and class")
	weights := flags.String("weights", "", "folder of weights that train wrote; empty for the shipped ones")
	maxChars := flags.Int("max-chars", support.DefaultMaxChars, "longest text that class reads, in characters")
	if err := flags.Parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	models, err := support.Open(*weights)
	if err != nil {
		return err
	}
	switch args[0] {
	case "tagger": // ends with its input, or at once with a signal
		return support.ServeExec(ctx, os.Stdin, os.Stdout, models.Tag)
	case "mood", "class":
	default:
		return fmt.Errorf("%q is no model that is served here: tagger, mood or class", args[0])
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	ln, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	if args[0] == "mood" {
		fmt.Fprintf(os.Stderr, "mood: http://%s/v2/models/sentiment\n", ln.Addr())
		return support.Serve(ctx, ln, models.V2Handler())
	}
	fmt.Fprintf(os.Stderr, "class: http://%s/classify\n", ln.Addr())
	return support.Serve(ctx, ln, support.HTTPHandler("/classify", models.Class(*maxChars)))
}
