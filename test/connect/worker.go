package connect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leatdev/leat/test/jvm"
	"github.com/leatdev/leat/test/leatproc"
)

// Worker is a worker of Connect, which can be stopped and started again.
type Worker struct {
	*leatproc.Process
	rest, file string
}

// NewWorker writes the properties of a worker and starts it.
func NewWorker(t testing.TB, brokers string, properties map[string]string) *Worker {
	t.Helper()
	rest := leatproc.FreeAddr(t)
	all := map[string]string{
		"bootstrap.servers": brokers, "listeners": "http://" + rest, "group.id": "workers",
		"config.storage.topic": "connect-configs", "offset.storage.topic": "connect-offsets", "status.storage.topic": "connect-status",
		"config.storage.replication.factor": "1", "offset.storage.replication.factor": "1", "status.storage.replication.factor": "1",
		"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
		"offset.flush.interval.ms": "500", "plugin.discovery": "service_load",
		"scheduled.rebalance.max.delay.ms": "0",
	}
	var text strings.Builder
	for _, from := range []map[string]string{all, properties} {
		for k, v := range from {
			fmt.Fprintf(&text, "%s=%s\n", k, v)
		}
	}
	w := &Worker{rest: "http://" + rest, file: filepath.Join(t.TempDir(), "worker.properties")}
	if err := os.WriteFile(w.file, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	w.Start(t)
	return w
}

// Start starts the worker, again if it ran before, and waits until it answers.
func (w *Worker) Start(t testing.TB) {
	t.Helper()
	w.Process = jvm.Run(t, "org.apache.kafka.connect.cli.ConnectDistributed", w.file)
	leatproc.Until(t, time.Minute, "a worker that answers", func() error {
		select {
		case <-w.Ended():
			t.Fatalf("the worker has ended\n%s", w.Tail())
		default:
		}
		_, err := w.call("GET", "/connectors", nil)
		return err
	})
}

// Stop stops it as its users do, with SIGTERM.
func (w *Worker) Stop(t testing.TB) {
	t.Helper()
	w.Signal(t, syscall.SIGTERM)
	select {
	case <-w.Ended():
	case <-time.After(time.Minute):
		t.Fatalf("the worker does not stop\n%s", w.Tail())
	}
}

// Connect makes a connector and waits until it and its task run.
func (w *Worker) Connect(t testing.TB, name string, config map[string]string) {
	t.Helper()
	leatproc.Until(t, time.Minute, "the connector "+name, func() error {
		_, err := w.call("PUT", "/connectors/"+name+"/config", config)
		return err
	})
	leatproc.Until(t, time.Minute, "the task of "+name, func() error { return w.running(name) })
}

func (w *Worker) running(name string) error {
	body, err := w.call("GET", "/connectors/"+name+"/status", nil)
	if err != nil {
		return err
	}
	type state struct{ State string }
	var status struct {
		Connector state
		Tasks     []state
	}
	if err := json.Unmarshal(body, &status); err != nil {
		return err
	}
	if status.Connector.State != "RUNNING" || len(status.Tasks) != 1 || status.Tasks[0].State != "RUNNING" {
		return fmt.Errorf("%s", body)
	}
	return nil
}

func (w *Worker) call(method, path string, body any) ([]byte, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequest(method, w.rest+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: 20 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return answer, err
}
