package peers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
)

// natsReady is nil when JetStream answers.
func natsReady(ctx context.Context, addr string) error {
	nc, err := nats.Connect("nats://"+addr, nats.Timeout(time.Second), nats.MaxReconnects(0))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := nc.JetStream(nats.Context(ctx))
	if err != nil {
		return err
	}
	_, err = js.AccountInfo()
	return err
}

// findNATS builds nats-server from its module, which go.mod names as a tool.
func findNATS(ctx context.Context, bin string) ([]Peer, error) {
	const path = "github.com/nats-io/nats-server/v2"
	exe := filepath.Join(bin, "nats-server")
	if err := build(ctx, ".", path, exe); err != nil {
		return nil, err
	}
	version := moduleVersion(ctx, path)
	server := func(name, durability string, durable bool, extra string) Peer {
		return Peer{
			Name: name, Version: version, Protocol: NATS, Durability: durability, Durable: durable, ready: natsReady,
			prepare: func(_ context.Context, dir string, port int, _ bool) error {
				config := fmt.Sprintf("listen: \"127.0.0.1:%d\"\njetstream { store_dir: %q\n%s }\n", port, filepath.Join(dir, "data"), extra)
				return os.WriteFile(filepath.Join(dir, "nats.conf"), []byte(config), 0o644)
			},
			command: func(dir string, _ int) *exec.Cmd {
				return exec.Command(exe, "-c", filepath.Join(dir, "nats.conf"))
			},
		}
	}
	return []Peer{
		server("nats", "none (page cache; fsync each 2 min, the default)", false, ""),
		server("nats-sync", "fsync before the ack (sync_interval: always)", true, "sync_interval: always"),
	}, nil
}
