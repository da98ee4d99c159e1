package httpcall

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func newCaller(t *testing.T, cfg Config) *Caller {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func post(c *Caller, body string) (string, error) {
	_, reply, err := c.Post(context.Background(), []byte(body), nil)
	return string(reply), err
}

func wantClass(t *testing.T, err error, class worker.Class, parts ...string) {
	t.Helper()
	if worker.ClassOf(err) != class {
		t.Errorf("error %v has class %s, want %s", err, worker.ClassOf(err), class)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}

func TestOptionsThatCannotWorkAreNamed(t *testing.T) {
	for want, cfg := range map[string]Config{
		"url: cannot be parsed": {URL: "http://user:hidden%zz@h"},
		"url: scheme \"ftp\"":   {URL: "ftp://h"},
		"url: scheme \"\"":      {URL: "host/path"},
		"timeout:":              {URL: "http://h", Timeout: -1},
		"concurrency:":          {URL: "http://h", Concurrency: -1},
		"bound of a reply":      {URL: "http://h", MaxReply: -1},
		"not a header name":     {URL: "http://h", Headers: map[string]string{"a b": "hidden"}},
		"value of X-Key":        {URL: "http://h", Headers: map[string]string{"x-key": "hidden\n"}},
		"set for each call":     {URL: "http://h", Headers: map[string]string{"idempotency-key": "hidden"}},
		"X-Key is given twice":  {URL: "http://h", Headers: map[string]string{"x-key": "hidden", "X-Key": "hidden2"}},
	} {
		_, err := New(cfg)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("New: %v, want an error that says %q and hides values", err, want)
		}
	}
}

func TestWhatIsSent(t *testing.T) {
	var got *http.Request
	var body string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r, string(b)
		_, _ = io.WriteString(w, "reply")
	})
	c := newCaller(t, Config{URL: s.URL + "/classify?v=1", Headers: map[string]string{"authorization": "Bearer abc", "host": "models.internal", "user-agent": "mine"}})
	in := pipeline.Input{ID: `ord"er/é`, IdempotencyKey: "t/0/1/step", Headers: map[string]string{
		"traceparent": "00-1-2-01", "tracestate": "bad\nvalue", "other": "not sent"}}
	_, reply, err := c.Post(context.Background(), []byte(`{"a":1}`), RecordHeaders([]pipeline.Input{in}))
	if err != nil || string(reply) != "reply" {
		t.Fatalf("Post = %q, %v", reply, err)
	}
	if got.Method != "POST" || got.URL.String() != "/classify?v=1" || got.Host != "models.internal" || body != `{"a":1}` {
		t.Errorf("got %s %s of host %s with body %s", got.Method, got.URL, got.Host, body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Authorization": "Bearer abc", "User-Agent": "mine", "Idempotency-Key": "t/0/1/step",
		"X-Event-Id": "ord%22er/%C3%A9", "Traceparent": "00-1-2-01", "Tracestate": "", "Other": "",
	} {
		if g := got.Header.Get(name); g != want {
			t.Errorf("header %s is %q, want %q", name, g, want)
		}
	}
}

func TestHeadersOfABatch(t *testing.T) {
	trace := map[string]string{"traceparent": "00-1-2-01"}
	a, b := pipeline.Input{ID: "a", IdempotencyKey: "ka", Headers: trace}, pipeline.Input{ID: "b", IdempotencyKey: "kb", Headers: trace}
	h := RecordHeaders([]pipeline.Input{a, b})
	if h.Get(HeaderEventID) != "" || h.Get("traceparent") != "00-1-2-01" {
		t.Errorf("headers of two records of one trace: %v", h)
	}
	key := h.Get(HeaderIdempotencyKey)
	if len(key) != 32 || key != BatchKey([]pipeline.Input{a, b}) || key == BatchKey([]pipeline.Input{b, a}) {
		t.Errorf("idempotency key of a batch: %q", key)
	}
	b.Headers = nil
	if h := RecordHeaders([]pipeline.Input{a, b}); h.Get("traceparent") != "" {
		t.Errorf("two records of two traces share one: %v", h)
	}
	b.IdempotencyKey = ""
	if key := BatchKey([]pipeline.Input{a, b}); key != "" {
		t.Errorf("key %q for a record that has none", key)
	}
	// "ab"+"c" and "a"+"bc" are different calls.
	x := BatchKey([]pipeline.Input{{IdempotencyKey: "ab"}, {IdempotencyKey: "c"}})
	if x == BatchKey([]pipeline.Input{{IdempotencyKey: "a"}, {IdempotencyKey: "bc"}}) {
		t.Error("different batches share a key")
	}
}

func TestARefusalQuotesTheServerButNoSecret(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(503)
		_, _ = io.WriteString(w, "too busy for "+r.Header.Get("Authorization")+" and "+r.URL.Query().Get("key")+strings.Repeat(" x", 5000))
	})
	c := newCaller(t, Config{URL: s.URL + "/p?key=querysecret", Headers: map[string]string{"Authorization": "Bearer tokensecret"}})
	_, err := post(c, "{}")
	wantClass(t, err, worker.Retriable, s.URL+"/p", "503 Service Unavailable", "too busy for [redacted] and [redacted]")
	if strings.Contains(err.Error(), "secret") || len(err.Error()) > 600 {
		t.Errorf("error %q", err)
	}
	var e *worker.Error
	if !errors.As(err, &e) || e.RetryAfter != 3*time.Second || e.Stage != "call" {
		t.Errorf("error %+v, want RetryAfter 3s and stage call", e)
	}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	var followed bool
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			followed = true
			return
		}
		http.Redirect(w, r, "/login?token=hidden", http.StatusFound)
	})
	_, err := post(newCaller(t, Config{URL: s.URL}), "{}")
	wantClass(t, err, worker.Outage, "302", "/login", "declare the url")
	if followed || strings.Contains(err.Error(), "hidden") {
		t.Errorf("followed %t, error %q", followed, err)
	}
}

func TestNoConnectionIsAnOutage(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := "http://" + l.Addr().String()
	_ = l.Close()
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(tls.Close)
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	for name, url := range map[string]string{
		"refused":                refused,
		"name that is not there": "http://no..host",
		"unknown authority":      tls.URL,
		"TLS to a plain server":  strings.Replace(plain.URL, "http:", "https:", 1),
	} {
		_, err := post(newCaller(t, Config{URL: url + "/?key=hidden"}), "{}")
		wantClass(t, err, worker.Outage, "cannot connect")
		if strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %q shows the query", name, err)
		}
	}
}

// A listener that accepts nothing: the connection stands, the TLS handshake never does.
func TestATimeoutBeforeTheConnectionIsAnOutage(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, err = post(newCaller(t, Config{URL: "https://" + l.Addr().String(), Timeout: 20 * time.Millisecond}), "{}")
	wantClass(t, err, worker.Outage, "no connection within 20ms")
}

func TestAConnectionThatBreaksIsRetriable(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "half")
		panic(http.ErrAbortHandler)
	})
	_, err := post(newCaller(t, Config{URL: s.URL}), "{}")
	wantClass(t, err, worker.Retriable, "connection broke")
}

func TestTimeoutsAndEndedContexts(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" { // the headers come in time, the body does not
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
		}
		<-release
	})
	t.Cleanup(func() { close(release) }) // before the server's own
	for _, path := range []string{"/", "/body"} {
		_, err := post(newCaller(t, Config{URL: s.URL + path, Timeout: 20 * time.Millisecond}), "{}")
		wantClass(t, err, worker.Retriable, "no whole reply within 20ms")
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v looks as if the caller's own context had ended", err)
		}
	}
	c := newCaller(t, Config{URL: s.URL, Concurrency: 1})
	ctx, cancel := context.WithCancel(context.Background())
	call, err := c.Begin(ctx) // takes the only place
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_, _, err = c.Post(ctx, nil, nil)
	wantClass(t, err, worker.Retriable, "given up before it was made")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v does not wrap the context's error", err)
	}
	call.End()
	if err := call.Failed(io.EOF); !errors.Is(err, context.Canceled) {
		t.Errorf("%v does not wrap the context's error", err)
	}
}

func TestALongReplyIsCutOff(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 101)) })
	_, err := post(newCaller(t, Config{URL: s.URL, MaxReply: 100}), "{}")
	wantClass(t, err, worker.Retriable, "longer than 100 bytes")
	if got, err := post(newCaller(t, Config{URL: s.URL, MaxReply: 101}), "{}"); err != nil || len(got) != 101 {
		t.Errorf("reply of exactly the bound: %d bytes, %v", len(got), err)
	}
}

func TestConnectionsAreReused(t *testing.T) {
	opened := make(chan struct{}, 100)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			w.WriteHeader(500)
		}
		_, _ = io.WriteString(w, "ok")
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened <- struct{}{}
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	c := newCaller(t, Config{URL: s.URL})
	for range 10 {
		_, _ = post(c, "{}")
		_, _, err := c.At("bad").Post(context.Background(), nil, nil)
		wantClass(t, err, worker.Retriable)
	}
	if len(opened) != 1 {
		t.Errorf("%d connections for calls one after the other, want 1", len(opened))
	}
}
