package tools

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatdev/leat/test/jvm"
	"github.com/leatdev/leat/test/kafkaproc"
	"github.com/leatdev/leat/test/leatproc"
)

func TestMain(m *testing.M) { leatproc.Main(m) }

// same are settings that both brokers get.
var same = []string{"offsets.topic.num.partitions=4", "transaction.state.log.num.partitions=4", "share.coordinator.state.topic.num.partitions=4"}

// Every tool prints the same on both, but for what is known.
func TestTheToolsPrintTheSame(t *testing.T) {
	all, err := Scripts()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("there are no scripts")
	}
	peer := peerAddr(t)
	tools := jvm.StartTools(t)
	var configs []string
	for _, c := range same {
		configs = append(configs, "-c", c)
	}
	leat := leatproc.Serve(t, configs...).Addr
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
				run := func(addr string) []string {
					class, args := s.call(addr, dir)
					said, status := tools.Run(class, args...)
					if status != 0 {
						said = append(said, fmt.Sprint("exit status ", status))
					}
					return plain(said, addr, dir)
				}
				k, l := run(peer), run(leat)
				if testing.Verbose() {
					t.Logf("%d: %s\n\t%s", s.Line, s.Command, strings.Join(k, "\n\t"))
				}
				for _, w := range s.compare(k, l) {
					t.Errorf("%s.txt:%d: %s\n\t%s", script.Name, s.Line, s.Command, w)
				}
			}
		})
	}
}

// peerAddr is a Kafka that nobody has used: LEAT_KAFKA, or one that is started.
func peerAddr(t *testing.T) string {
	if addr := os.Getenv("LEAT_KAFKA"); addr != "" {
		return addr
	}
	k, err := kafkaproc.Run(same...)
	if err != nil {
		leatproc.Missing(t, "Apache Kafka", err)
	}
	t.Cleanup(k.Remove)
	return k.Addr
}
