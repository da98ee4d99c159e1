package peers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Skipped is a peer that is not on this machine, and why.
type Skipped struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// finders is every peer that is known, in the order of the report. Each builds or
// looks for what it needs.
var finders = []struct {
	names []string
	find  func(ctx context.Context, bin string) ([]Peer, error)
}{
	{[]string{"leat", "leat-relaxed"}, findLeat},
	{[]string{"kfake", "kfake-disk", "kfake-sync"}, findKfake},
	{[]string{"kafka", "kafka-fsync"}, findKafka},
	{[]string{"nats", "nats-sync"}, findNATS},
	{[]string{"rabbitmq"}, findRabbit},
}

// Names are the names of all peers, in the order of the report.
func Names() (all []string) {
	for _, f := range finders {
		all = append(all, f.names...)
	}
	return all
}

// Find builds what is ours and looks for the others; only those named in want. What
// is built goes to the folder bin.
func Find(ctx context.Context, bin string, want []string) (found []Peer, skipped []Skipped, err error) {
	for _, n := range want {
		if !slices.Contains(Names(), n) {
			return nil, nil, fmt.Errorf("there is no peer %q: want some of %s", n, strings.Join(Names(), ","))
		}
	}
	for _, f := range finders {
		wanted := func(n string) bool { return slices.Contains(want, n) }
		if !slices.ContainsFunc(f.names, wanted) {
			continue
		}
		ps, err := f.find(ctx, bin)
		if err != nil && f.names[0] == "leat" {
			return nil, nil, err // without Leat there is nothing to compare with
		}
		for _, n := range f.names {
			if err != nil && wanted(n) {
				skipped = append(skipped, Skipped{n, err.Error()})
			}
		}
		for _, p := range ps {
			if wanted(p.Name) {
				found = append(found, p)
			}
		}
	}
	return found, skipped, nil
}

// build compiles a package of the module in dir.
func build(ctx context.Context, dir, pkg, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", to, pkg)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// moduleVersion is the version of a module that this one asks for.
func moduleVersion(ctx context.Context, path string) string {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}}", path).Output()
	if err != nil {
		return "version unknown"
	}
	return strings.TrimSpace(string(out))
}

func findLeat(ctx context.Context, bin string) ([]Peer, error) {
	exe := os.Getenv("LEAT_BIN") // a program that is built already
	if exe == "" {
		exe = filepath.Join(bin, "leat")
		if err := build(ctx, "..", "./cmd/leat", exe); err != nil { // in its own module, with its own versions of everything
			return nil, fmt.Errorf("%w (run this in the folder bench)", err)
		}
	}
	version, err := exec.CommandContext(ctx, exe, "version").Output()
	if err != nil {
		return nil, fmt.Errorf("leat version: %w", err)
	}
	leat := func(name, durability string, durable bool, args ...string) Peer {
		return Peer{
			Name: name, Version: strings.TrimSpace(string(version)), Protocol: Kafka, Durability: durability, Durable: durable,
			prepare: noPreparation, ready: kafkaReady,
			command: func(dir string, port int) *exec.Cmd {
				return exec.Command(exe, append([]string{"serve", "--data", dir, "--listen", fmt.Sprintf("127.0.0.1:%d", port),
					"-c", "group.initial.rebalance.delay.ms=0", "-c", "group.consumer.min.heartbeat.interval.ms=500", "-c", "group.consumer.heartbeat.interval.ms=500"}, args...)...)
			},
		}
	}
	return []Peer{
		leat("leat", "fsync before the ack", true),
		leat("leat-relaxed", "none (relaxed: page cache)", false, "--durability", "relaxed"),
	}, nil
}

func findKfake(ctx context.Context, bin string) ([]Peer, error) {
	exe := filepath.Join(bin, "kfake")
	if err := build(ctx, ".", "./kfake", exe); err != nil {
		return nil, err
	}
	version := moduleVersion(ctx, "github.com/twmb/franz-go/pkg/kfake")
	kfake := func(name, durability string, durable, disk bool) Peer {
		return Peer{
			Name: name, Version: version, Protocol: Kafka, Durability: durability, Durable: durable,
			prepare: noPreparation, ready: kafkaReady,
			command: func(dir string, port int) *exec.Cmd {
				args := []string{"-port", fmt.Sprint(port)}
				if disk {
					args = append(args, "-dir", dir)
				}
				if durable {
					args = append(args, "-sync")
				}
				return exec.Command(exe, args...)
			},
		}
	}
	return []Peer{
		kfake("kfake", "none (memory only)", false, false),
		kfake("kfake-disk", "none (page cache)", false, true),
		kfake("kfake-sync", "fsync of each batch", true, true),
	}, nil
}
