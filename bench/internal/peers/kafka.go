package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/leatdev/leat/bench/internal/raw"
)

// kafkaReady is nil when Metadata is answered with a broker in it. It asks without
// a client library: the library's retries would be measured along with the broker.
func kafkaReady(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := raw.Dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Leaders("", 0)
}

// findKafka looks for Apache Kafka's jars: one node that is broker and
// controller, with the heap that Kafka's own start script gives it.
func findKafka(ctx context.Context, _ string) ([]Peer, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, errors.New("no java")
	}
	libs, version, err := kafkaJars()
	if err != nil {
		return nil, err
	}
	kafka := func(name, durability string, durable bool, extra string) Peer {
		return Peer{
			Name: name, Version: version, Protocol: Kafka, Durability: durability, Durable: durable, Compiles: true, ready: kafkaReady,
			prepare: func(ctx context.Context, dir string, port int, paused bool) error {
				config := filepath.Join(dir, "server.properties")
				text := kafkaConfig(dir, port) + extra
				if paused {
					text += "broker.session.timeout.ms=3600000\n"
				}
				if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
					return err
				}
				cmd := exec.CommandContext(ctx, java, "-cp", filepath.Join(libs, "*"), "kafka.tools.StorageTool", "format", "-t", "bGVhdC1iZW5jaC1hYWFhYQ", "-c", config)
				if out, err := cmd.CombinedOutput(); err != nil {
					return fmt.Errorf("format the data directory: %w\n%s", err, out)
				}
				return nil
			},
			command: func(dir string, _ int) *exec.Cmd {
				return exec.Command(java, "-server", "-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
					"-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true",
					"-cp", filepath.Join(libs, "*"), "kafka.Kafka", filepath.Join(dir, "server.properties"))
			},
		}
	}
	return []Peer{
		kafka("kafka", "none (page cache; Kafka's default)", false, ""),
		kafka("kafka-fsync", "fsync before the ack (log.flush.interval.messages=1)", true, "log.flush.interval.messages=1\n"),
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
	return "", "", errors.New("no jars of Kafka in KAFKA_LIBS or ~/.cache/kafka-*/libs")
}

// kafkaConfig is Kafka's defaults for one node, with threads for a small machine.
// Deleted topics go soon, so that their pages are not written for nothing later.
func kafkaConfig(dir string, port int) string {
	return fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=%[3]s
num.network.threads=2
num.io.threads=4
group.initial.rebalance.delay.ms=0
group.consumer.min.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=500
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.segment.delete.delay.ms=200
log.initial.task.delay.ms=500
message.max.bytes=33554432
`, port, port+1, filepath.Join(dir, "data"))
}
