package support

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	example "github.com/leatdev/leat/examples/support"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/test/leatproc"
	"github.com/leatdev/leat/test/support/audit"
)

// patience is for what must come; slow machines shall not fail a test.
const patience = 2 * time.Minute

// desk is the support desk as processes: a broker, two model servers, and a runner
// whose children are the taggers.
type desk struct {
	t      *testing.T
	ctx    context.Context
	broker *leatproc.Server
	mood   *modelServer
	class  *modelServer
	runner *leatproc.Process
	http   string // the runner's, host:port
	file   string

	pipeline *pipeline.Pipeline
	cl       *kgo.Client
	adm      *kadm.Client
	sent     []audit.Sent
	refused  int
	kills    []audit.Kill
}

// open starts everything but the runner.
func open(t *testing.T, tagger ...string) *desk {
	t.Helper()
	d := &desk{t: t, ctx: t.Context()}
	serve := leatproc.Build(t, "./examples/support/serve")
	if len(tagger) == 0 {
		tagger = []string{serve, "tagger"}
	}
	d.broker = leatproc.Serve(t, "-c", "group.initial.rebalance.delay.ms=0")
	d.mood = startModel(t, serve, "mood")
	d.class = startModel(t, serve, "class", "--max-chars", fmt.Sprint(maxChars))
	yaml := example.Places{MoodURL: d.mood.url, ClassURL: d.class.url, Tagger: tagger}.At()
	d.file = filepath.Join(t.TempDir(), "support.yaml")
	if err := os.WriteFile(d.file, []byte(yaml), 0o644); err != nil {
		t.Fatal(err)
	}
	ps, err := pipeline.Parse(pipeline.File{Name: d.file, Data: []byte(yaml)})
	if err != nil {
		t.Fatal(err)
	}
	d.pipeline = ps[0]
	d.cl, err = kgo.NewClient(kgo.SeedBrokers(d.broker.Addr), kgo.ProducerBatchMaxBytes(2*limit),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.cl.Close)
	d.adm = kadm.NewClient(d.cl)
	return d
}

// run starts the runner and waits until it is ready.
func (d *desk) run() {
	d.t.Helper()
	d.runner = leatproc.Run(d.t, leatproc.Root(d.t), leatproc.Build(d.t, "./cmd/leat"), "run", d.file, "--kafka", d.broker.Addr, "--http", "127.0.0.1:0")
	go drain(d.runner.Stdout)
	line := d.runner.Logged(d.t, "HTTP is open", patience)
	_, after, _ := strings.Cut(line, "addr=")
	d.http, _, _ = strings.Cut(after, " ")
}

// drain reads what a program says so that it need not wait for a reader.
func drain(lines <-chan string) {
	for range lines {
	}
}

// stop ends the runner in good order.
func (d *desk) stop() {
	d.t.Helper()
	d.runner.Signal(d.t, syscall.SIGTERM)
	if err := d.runner.Wait(patience); err != nil {
		d.t.Errorf("the runner does not stop in good order: %v", err)
	}
}

// kill ends the runner alone with SIGKILL and waits until it and its children, which
// must see the end of their input, are gone.
func (d *desk) kill() {
	d.t.Helper()
	d.runner.Signal(d.t, syscall.SIGKILL)
	if err := d.runner.Wait(patience); err == nil || !strings.Contains(err.Error(), "killed") {
		d.t.Fatalf("after kill -9: %v", err)
	}
	d.kills = append(d.kills, d.snapshot())
}

// modelServer is a model in a process of its own that keeps its address.
type modelServer struct {
	*leatproc.Process
	url, bin, name string
	args           []string
}

func startModel(t *testing.T, bin, name string, args ...string) *modelServer {
	t.Helper()
	m := &modelServer{bin: bin, name: name, args: args}
	m.start(t, "127.0.0.1:0")
	return m
}

func (m *modelServer) start(t *testing.T, addr string) {
	t.Helper()
	m.Process = leatproc.Run(t, "", m.bin, append([]string{m.name, "--listen", addr}, m.args...)...)
	go drain(m.Stdout)
	m.url = strings.TrimPrefix(m.Logged(t, "http://", patience), m.name+": ")
}

// again starts the model once more where it was.
func (m *modelServer) again(t *testing.T) {
	t.Helper()
	_, rest, _ := strings.Cut(m.url, "://")
	addr, _, _ := strings.Cut(rest, "/")
	m.start(t, addr)
}

// produce sends messages and waits until all are acknowledged.
func (d *desk) produce(messages []audit.Sent) {
	d.t.Helper()
	rs := make([]*kgo.Record, len(messages))
	for i := range messages {
		rs[i] = messages[i].Record
	}
	if err := d.cl.ProduceSync(d.ctx, rs...).FirstErr(); err != nil {
		d.t.Fatalf("a message was not taken: %v", err)
	}
	d.sent = append(d.sent, messages...)
}

// produceTooLarge sends messages over the limit, which the broker must refuse: the
// client's own limit is higher and it compresses nothing.
func (d *desk) produceTooLarge() {
	d.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(d.broker.Addr), kgo.ProducerBatchMaxBytes(4*limit), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		d.t.Fatal(err)
	}
	defer cl.Close()
	for _, r := range tooLarge() {
		if err := cl.ProduceSync(d.ctx, r).FirstErr(); !errors.Is(err, kerr.MessageTooLarge) {
			d.t.Fatalf("a message of %d bytes: %v, want MESSAGE_TOO_LARGE", len(r.Value), err)
		}
		d.refused++
	}
}

// paused asks the runner's metrics whether a step pauses for the reason.
func (d *desk) paused(step, reason string) (bool, error) {
	resp, err := http.Get("http://" + d.http + "/metrics")
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return false, err
	}
	name := fmt.Sprintf(`leat_worker_paused{consumergroup="%s.%s",reason=%q} `, d.pipeline.Name, step, reason)
	_, after, ok := strings.Cut(string(body), name)
	if !ok {
		return false, fmt.Errorf("the metrics have no %s", name)
	}
	return strings.HasPrefix(after, "1"), nil
}

// untilPaused waits until a step pauses for an outage, or no longer does.
func (d *desk) untilPaused(step string, want bool) {
	d.t.Helper()
	leatproc.Until(d.t, patience, fmt.Sprintf("step %s paused: %t", step, want), func() error {
		is, err := d.paused(step, "outage")
		if err == nil && is != want {
			err = fmt.Errorf("paused: %t", is)
		}
		return err
	})
}
