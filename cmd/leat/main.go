// Command leat is the event backbone of an AI system in one binary. See
// `leat --help`; each command is in the file cmd_<verb>.go.
package main

import (
	"context"
	"os"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/life"
)

func main() {
	ctx, stop := life.Signals(context.Background(), os.Exit)
	code := run(ctx, cli.OS(), os.Args[1:])
	stop()
	os.Exit(code)
}
