package tools

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/test/jvm"
	"github.com/leatdev/leat/test/kafkaproc"
	"github.com/leatdev/leat/test/leatproc"
)

func TestMain(m *testing.M) { leatproc.Main(m) }

// same are settings that both brokers get.
var same = []string{"offsets.topic.num.partitions=4", "transaction.state.log.num.partitions=4", "share.coordinator.state.topic.num.partitions=4"}

var show = flag.Bool("show", false, "show what the tools print on Kafka")

// Every tool prints the same on both, but for what is known.
func TestTheToolsPrintTheSame(t *testing.T) {
	all, err := Scripts()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("there are no scripts")
	}
	tools := jvm.StartTools(t)
	peer, leat := startKafka(t, tools), startLeat(t)
	for _, script := range all {
		t.Run(script.Name, func(t *testing.T) {
			dir := t.TempDir()
			for _, s := range script.Steps {
				if s.Words[0] == "file" {
					if err := os.WriteFile(filepath.Join(dir, s.Words[1]), []byte(strings.Join(s.Words[2:], " ")), 0o644); err != nil {
						t.Fatal(err)
					}
					continue
				}
				run := func(b broker) []string {
					class, args := s.call(b.addr, dir)
					said, status := tools.Run(class, args...)
					if status != 0 && b == peer && (s.Words[0] == "do" || s.Words[0] == "call") {
						t.Errorf("%s.txt:%d: %s: not done: %q", script.Name, s.Line, s.Command, said)
					}
					if status != 0 {
						said = append(said, fmt.Sprint("exit status ", status))
					}
					return b.plain(said, dir)
				}
				begin := time.Now()
				k, l := run(peer), run(leat)
				if *show {
					t.Logf("%s:%d: %v for %s\n\t%s", script.Name, s.Line, time.Since(begin).Round(time.Millisecond), s.Command, strings.Join(k, "\n\t"))
				}
				if wrong := s.compare(k, l); len(wrong) > 0 {
					t.Errorf("%s.txt:%d: %s\n\t%s", script.Name, s.Line, s.Command, strings.Join(wrong, "\n\t"))
				}
			}
		})
	}
}

// local are the methods of Java's Admin client that send nothing.
var local = []string{"close", "metrics", "registerMetricForSubscription", "unregisterMetricFromSubscription"}

// The scripts call every method of Java's Admin client.
func TestEveryMethodIsCalled(t *testing.T) {
	all, err := Scripts()
	if err != nil {
		t.Fatal(err)
	}
	called := map[string]bool{}
	for _, script := range all {
		for _, s := range script.Steps {
			if s.Words[0] == "call" {
				called[s.Words[1]] = true
			}
		}
	}
	methods, _ := jvm.StartTools(t).Run("Calls", "", "methods")
	if len(methods) < 60 {
		t.Errorf("the Admin client has only the methods %q", methods)
	}
	for _, m := range methods {
		if !called[m] && !slices.Contains(local, m) {
			t.Errorf("no script calls %s", m)
		}
	}
}

// startKafka starts a Kafka, without eligible leader replicas (KIP-966): they are about
// brokers that are lost, and with them every topic shows a config that nobody has set.
func startKafka(t *testing.T, tools *jvm.Tools) broker {
	k, err := kafkaproc.Run(same...)
	if err != nil {
		leatproc.Missing(t, "Apache Kafka", err)
	}
	t.Cleanup(k.Remove)
	for _, args := range [][]string{
		{"org.apache.kafka.tools.FeatureCommand", "--bootstrap-server", k.Addr, "downgrade", "--feature", "eligible.leader.replicas.version=0"},
		{"kafka.admin.ConfigCommand", "--bootstrap-server", k.Addr, "--alter", "--entity-type", "brokers", "--entity-default", "--delete-config", "min.insync.replicas"},
	} {
		if said, status := tools.Run(args[0], args[1:]...); status != 0 {
			t.Fatalf("%s: %d: %q", args, status, said)
		}
	}
	return broker{k.Addr, k.Logs}
}

func startLeat(t *testing.T) broker {
	var configs []string
	for _, c := range same {
		configs = append(configs, "-c", c)
	}
	s := leatproc.Serve(t, configs...)
	return broker{s.Addr, s.Data}
}
