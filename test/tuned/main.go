// Tuned is the broker with small bounds: what a production server does once in
// many megabytes, it does many times a second. A write-ahead log of a few
// megabytes goes round and round, checkpoints follow each other, batches of a
// few KiB go straight to their segments. It is called as `leat serve` is, with
// the flags that the tests need.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/server"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 || args[0] != "serve" {
		return errors.New("call it as: tuned serve --data DIR --listen HOST:PORT")
	}
	flags := flag.NewFlagSet("tuned serve", flag.ContinueOnError)
	data := flags.String("data", "", "data directory")
	listen := flags.String("listen", "", "host:port for clients")
	configs := map[string]string{"log.retention.check.interval.ms": "500"}
	flags.Func("c", "a broker config as NAME=VALUE; may be repeated", func(text string) error {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("it is not NAME=VALUE")
		}
		configs[name] = value
		return nil
	})
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	slog.SetDefault(log)
	s, err := server.Start(ctx, server.Config{
		DataDir: *data, Listen: *listen, Log: log,
		Store: plog.Options{
			WALFileSize: 1 << 20, WALFiles: 3,
			CheckpointBytes: 256 << 10, CheckpointEvery: 100 * time.Millisecond,
			DirectBytes: 16 << 10, OpenFiles: 8, DiskReserve: 4 << 20,
		},
		Configs: configs,
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return s.Close(context.Background())
}
