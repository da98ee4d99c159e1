package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func open(t *testing.T, conf Config) *Gateway {
	t.Helper()
	if conf.Addr == "" {
		conf.Addr = ":0"
	}
	if conf.Metrics == nil {
		conf.Metrics = prometheus.NewRegistry()
	}
	if conf.Log == nil {
		conf.Log = slog.New(slog.DiscardHandler)
	}
	g, err := Open(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close(context.Background()) })
	return g
}

func get(t *testing.T, g *Gateway, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + g.Addr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "leat_things_total", Help: "Things."})
	c.Add(3)
	r.MustRegister(c)
	g := open(t, Config{Metrics: r})
	if code, body := get(t, g, "/metrics"); code != 200 || !strings.Contains(body, "\nleat_things_total 3\n") {
		t.Errorf("%d %s", code, body)
	}
}

// A collector that fails costs its own metrics, not the page, and is logged.
func TestMetricsWithOneThatFails(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	good := prometheus.NewGauge(prometheus.GaugeOpts{Name: "leat_good", Help: "Good."})
	r.MustRegister(good, broken{})
	var log bytes.Buffer
	g := open(t, Config{Metrics: r, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if code, body := get(t, g, "/metrics"); code != 200 || !strings.Contains(body, "\nleat_good 0\n") {
		t.Errorf("%d %s", code, body)
	}
	_ = g.Close(context.Background())
	if !strings.Contains(log.String(), "no numbers today") {
		t.Errorf("log is %q", log.String())
	}
}

type broken struct{}

var brokenDesc = prometheus.NewDesc("leat_broken", "Broken.", nil, nil)

func (broken) Describe(ch chan<- *prometheus.Desc) { ch <- brokenDesc }
func (broken) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(brokenDesc, errors.New("no numbers today"))
}

func TestHealthzIsAboutTheProcessOnly(t *testing.T) {
	t.Parallel()
	g := open(t, Config{Checks: []Check{{Name: "log", Ready: func(context.Context) error { return errors.New("recovering") }}}})
	if code, body := get(t, g, "/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("%d %q", code, body)
	}
}

func TestReadyz(t *testing.T) {
	t.Parallel()
	ok := Check{"log", func(context.Context) error { return nil }}
	bad := Check{"cluster", func(context.Context) error { return errors.New("nothing listens at localhost:9092") }}
	for _, c := range []struct {
		name   string
		checks []Check
		code   int
		body   string
	}{
		{"no checks", nil, 200, `{"ready":true,"checks":{}}`},
		{"all pass", []Check{ok}, 200, `{"ready":true,"checks":{"log":"ok"}}`},
		{"one fails", []Check{ok, bad}, 503, `{"ready":false,"checks":{"cluster":"nothing listens at localhost:9092","log":"ok"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := open(t, Config{Checks: c.checks})
			if code, body := get(t, g, "/readyz"); code != c.code || strings.TrimSpace(body) != c.body {
				t.Errorf("%d %s, want %d %s", code, body, c.code, c.body)
			}
		})
	}
}

func TestRootListsTheTable(t *testing.T) {
	t.Parallel()
	g := open(t, Config{})
	code, body := get(t, g, "/")
	if code != 200 {
		t.Errorf("status %d", code)
	}
	for _, r := range g.routes() {
		if !strings.Contains(body, r.pattern) {
			t.Errorf("%s is not listed in\n%s", r.pattern, body)
		}
	}
	if code, _ := get(t, g, "/nowhere"); code != 404 {
		t.Errorf("an unknown path answers %d", code)
	}
}

func TestAddrDefaultsToLoopback(t *testing.T) {
	t.Parallel()
	g := open(t, Config{Addr: ":0"})
	if host, _, _ := net.SplitHostPort(g.Addr()); host != "127.0.0.1" {
		t.Errorf("listens on %s", g.Addr())
	}
	for _, bad := range []string{"8080", "a:b:c"} {
		if _, err := Open(t.Context(), Config{Addr: bad, Metrics: prometheus.NewRegistry(), Log: slog.Default()}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	taken := Config{Addr: g.Addr(), Metrics: prometheus.NewRegistry(), Log: slog.Default()}
	if _, err := Open(t.Context(), taken); err == nil || !strings.Contains(err.Error(), g.Addr()) {
		t.Errorf("taken address: %v", err)
	}
}

// A request in progress finishes before Close returns; at the deadline it is cut.
func TestCloseDrainsThenCuts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		deadline time.Duration // how long Close may drain
		wantCut  bool
	}{{"drains", time.Minute, false}, {"cuts", 0, true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inside, goOn := make(chan struct{}), make(chan struct{})
			g := open(t, Config{Checks: []Check{{"slow", func(ctx context.Context) error {
				close(inside)
				select {
				case <-goOn:
				case <-ctx.Done():
				}
				return nil
			}}}})
			got := make(chan error, 1)
			go func() {
				resp, err := http.Get("http://" + g.Addr() + "/readyz")
				if err == nil {
					resp.Body.Close()
				}
				got <- err
			}()
			<-inside
			closed := make(chan error, 1)
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), c.deadline)
				defer cancel()
				closed <- g.Close(ctx)
			}()
			<-g.served // no new connections any more
			if !c.wantCut {
				close(goOn)
			}
			if err := <-closed; err != nil {
				t.Error("close:", err)
			}
			if err := <-got; (err != nil) != c.wantCut {
				t.Errorf("the request in progress ended with %v", err)
			}
			if err := g.Close(context.Background()); err != nil {
				t.Error("second close:", err)
			}
		})
	}
}
