package programs

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/leatdev/leat/test/jvm"
	"github.com/leatdev/leat/test/leatproc"
)

// An idempotent VerifiableProducer and a VerifiableConsumer of each group protocol run
// while the broker is killed and started again: every record is acknowledged, the log
// has each once, and the consumer reads all of them.
func TestVerifiable(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			const records = 12_000
			s := leatproc.Serve(t)
			broker := jvm.Look(t, s.Addr)
			broker.CreateTopic("verifiable", 3)
			// By itself the program never tries again.
			retries := filepath.Join(t.TempDir(), "retries.properties")
			if err := os.WriteFile(retries, []byte("retries=2147483647\nenable.idempotence=true\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			produced := jvm.Run(t, "org.apache.kafka.tools.VerifiableProducer", "--bootstrap-server", s.Addr,
				"--topic", "verifiable", "--max-messages", fmt.Sprint(records), "--throughput", "4000", "--command-config", retries)
			consumed := jvm.Run(t, "org.apache.kafka.tools.VerifiableConsumer", "--bootstrap-server", s.Addr,
				"--topic", "verifiable", "--group-id", "g", "--group-protocol", protocol, "--verbose")

			acked, read := map[string]int{}, map[place]int{}
			sent, killed := produced.Stdout, false
			deadline := time.After(75 * time.Second)
			for len(acked) < records || len(read) < records {
				select {
				case line, ok := <-sent:
					if !ok && len(acked) < records {
						t.Fatalf("the producer ended after %d acknowledgements\n%s", len(acked), produced.Tail())
					}
					if !ok {
						sent = nil
						continue
					}
					switch e := event(t, line); e.Name {
					case "producer_send_success":
						acked[e.Value]++
					case "producer_send_error":
						t.Fatalf("not sent: %s", line)
					}
				case line, ok := <-consumed.Stdout:
					if !ok {
						t.Fatalf("the consumer ended after %d records\n%s", len(read), consumed.Tail())
					}
					if e := event(t, line); e.Name == "record_data" {
						read[place{e.Partition, e.Offset}]++
					}
				case <-deadline:
					t.Fatalf("%d of %d acknowledged, %d read\n%s\n%s", len(acked), records, len(read), produced.Tail(), consumed.Tail())
				}
				if !killed && len(acked) > records/3 && len(read) > 0 {
					killed = true
					s.Kill()
					s.Start(t)
				}
			}
			if !killed {
				t.Error("the broker was not killed: nothing was read in time")
			}
			for value, n := range acked {
				if n != 1 {
					t.Errorf("value %s was acknowledged %d times", value, n)
				}
			}
			if got := broker.Ends("verifiable"); got != records {
				t.Errorf("the log has %d records of %d", got, records)
			}
			consumed.Signal(t, syscall.SIGTERM)
			left := false
			for line := range consumed.Stdout {
				left = left || event(t, line).Name == "shutdown_complete"
			}
			if !left {
				t.Errorf("the consumer did not end properly: %s", consumed.Tail())
			}
			if got := broker.Committed("g"); got != records {
				t.Errorf("%d of %d records are committed", got, records)
			}
		})
	}
}

type place struct {
	partition int
	offset    int64
}

// said is a line of the verifiable programs.
type said struct {
	Name      string `json:"name"`
	Value     string `json:"value"`
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`
}

func event(t *testing.T, line string) (e said) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		t.Errorf("%q: %v", line, err)
	}
	return e
}
