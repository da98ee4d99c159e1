package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// peer is a broker that can be started on this machine.
type peer struct {
	name, version string
	// prepare makes an empty data directory that the broker can start on; what it
	// takes is not measured.
	prepare func(ctx context.Context, dir string, port int) error
	// command is what starts it; it listens on loopback at the port.
	command func(dir string, port int) *exec.Cmd
}

// findPeers builds what is ours and looks for the others. Leat comes first.
// Those that are not here are named with the reason.
func findPeers(ctx context.Context, work, only string) (peers []peer, skipped []string, err error) {
	leat, err := findLeat(ctx, work)
	if err != nil {
		return nil, nil, err
	}
	peers = append(peers, leat)
	for _, find := range []struct {
		name string
		peer func(context.Context, string) (peer, error)
	}{{"kfake", findKfake}, {"kafka", findKafka}} {
		if only != "" && only != find.name {
			continue
		}
		p, err := find.peer(ctx, work)
		if err != nil {
			skipped = append(skipped, fmt.Sprintf("%s: %v", find.name, err))
			continue
		}
		peers = append(peers, p)
	}
	return peers, skipped, nil
}

// build compiles a package of the module in dir, with the environment's own
// settings, so that what is built already is not built again.
func build(ctx context.Context, dir, pkg, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", to, pkg)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

func emptyDir(_ context.Context, dir string, _ int) error { return os.MkdirAll(dir, 0o755) }

func findLeat(ctx context.Context, work string) (peer, error) {
	// Leat is built in its own module, with its own versions of everything.
	module, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/leatdev/leat").Output()
	if err != nil {
		return peer{}, fmt.Errorf("where is Leat? Run this in the folder bench: %w", err)
	}
	bin := filepath.Join(work, "leat")
	if err := build(ctx, strings.TrimSpace(string(module)), "./cmd/leat", bin); err != nil {
		return peer{}, err
	}
	version, err := exec.CommandContext(ctx, bin, "version").Output()
	if err != nil {
		return peer{}, fmt.Errorf("leat version: %w", err)
	}
	return peer{
		name: "leat", version: strings.TrimSpace(string(version)), prepare: emptyDir,
		command: func(dir string, port int) *exec.Cmd {
			return exec.Command(bin, "serve", "--data", dir, "--listen", fmt.Sprintf("127.0.0.1:%d", port))
		},
	}, nil
}

func findKfake(ctx context.Context, work string) (peer, error) {
	bin := filepath.Join(work, "kfake")
	if err := build(ctx, ".", "./kfake", bin); err != nil {
		return peer{}, err
	}
	return peer{
		name: "kfake", version: "in memory", prepare: emptyDir,
		command: func(_ string, port int) *exec.Cmd { return exec.Command(bin, "-port", fmt.Sprint(port)) },
	}, nil
}

// findKafka looks for Apache Kafka's jars: one node that is broker and
// controller, with the heap that Kafka's own start script gives it.
func findKafka(ctx context.Context, _ string) (peer, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return peer{}, errors.New("no java")
	}
	libs, version, err := kafkaJars()
	if err != nil {
		return peer{}, err
	}
	tool := func(class string, args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, java, append([]string{"-cp", filepath.Join(libs, "*"), class}, args...)...)
	}
	return peer{
		name: "kafka", version: version,
		prepare: func(ctx context.Context, dir string, port int) error {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			config := filepath.Join(dir, "server.properties")
			if err := os.WriteFile(config, []byte(kafkaConfig(dir, port)), 0o644); err != nil {
				return err
			}
			out, err := tool("kafka.tools.StorageTool", "format", "-t", "bGVhdC1iZW5jaC1hYWFhYQ", "-c", config).CombinedOutput()
			if err != nil {
				return fmt.Errorf("format the data directory: %w\n%s", err, out)
			}
			return nil
		},
		command: func(dir string, _ int) *exec.Cmd {
			return exec.Command(java, "-server", "-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
				"-cp", filepath.Join(libs, "*"), "kafka.Kafka", filepath.Join(dir, "server.properties"))
		},
	}, nil
}

// kafkaJars finds the folder with Kafka's jars, and the version of its broker.
func kafkaJars() (dir, version string, err error) {
	folders := []string{os.Getenv("KAFKA_LIBS")}
	if home, err := os.UserHomeDir(); err == nil {
		found, _ := filepath.Glob(filepath.Join(home, ".cache", "kafka-*", "libs")) // the pattern is well formed
		slices.Sort(found)
		slices.Reverse(found) // the newest by name
		folders = append(folders, found...)
	}
	for _, dir := range folders {
		if dir == "" {
			continue
		}
		jars, _ := filepath.Glob(filepath.Join(dir, "kafka_2.13-*.jar"))
		if len(jars) > 0 {
			return dir, strings.TrimSuffix(strings.TrimPrefix(filepath.Base(jars[0]), "kafka_2.13-"), ".jar"), nil
		}
	}
	return "", "", errors.New("no jars in KAFKA_LIBS or ~/.cache/kafka-*/libs")
}

func kafkaConfig(dir string, port int) string {
	return fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=%[3]s
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
`, port, port+1, filepath.Join(dir, "data"))
}
