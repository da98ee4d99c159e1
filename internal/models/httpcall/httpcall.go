// Package httpcall makes the HTTP calls of the model protocols: one place for
// connections, time limits, size limits, failure classes and the secrets that
// no error may show. A protocol brings the body and reads the reply.
package httpcall

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/leatdev/leat/internal/models/redact"
)

// What a Config that says nothing gets.
const (
	DefaultTimeout     = 30 * time.Second
	DefaultConcurrency = 8
	DefaultMaxReply    = 16 << 20
)

// Config is what every HTTP protocol is told about its backend.
type Config struct {
	// URL is where the backend is: http or https. What it holds besides scheme,
	// host and path (user, password, query) is sent, but shown in no error.
	URL string
	// Headers are sent with every call. Their values are secrets: no error and
	// no log shows one of four bytes or more, not even when the server echoes it.
	Headers map[string]string
	// Timeout bounds one call, from its start to the reply's last byte; 0 means 30s.
	Timeout time.Duration
	// Concurrency is how many calls run at once, over all goroutines; 0 means 8.
	Concurrency int
	// MaxReply bounds a reply's body in bytes, after decompression; 0 means 16 MiB.
	MaxReply int64
	// Statuses overrides the class of single HTTP statuses.
	Statuses Statuses
}

// Caller makes calls to one backend. It is safe for concurrent use.
type Caller struct {
	url      *url.URL
	shown    string // the URL as errors show it
	headers  http.Header
	timeout  time.Duration
	maxReply int64
	statuses Statuses
	redact   *redact.Redactor
	places   chan struct{}
	client   *http.Client
}

// New checks cfg and makes a Caller. It opens no connection. Its errors name
// the option that is wrong and never show a header's value.
func New(cfg Config) (*Caller, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, errors.New("url: cannot be parsed; write it as http://host:port/path") // err would show it whole
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("url: scheme %q, host %q; write it as http://host:port/path or https://host/path", u.Scheme, u.Host)
	}
	headers, host, err := staticHeaders(cfg.Headers)
	if err != nil {
		return nil, err
	}
	if err := cfg.Statuses.check(); err != nil {
		return nil, err
	}
	switch {
	case cfg.Timeout < 0:
		return nil, fmt.Errorf("timeout: %s is negative; leave it out for %s", cfg.Timeout, DefaultTimeout)
	case cfg.Concurrency < 0:
		return nil, fmt.Errorf("concurrency: %d is negative; leave it out for %d", cfg.Concurrency, DefaultConcurrency)
	case cfg.MaxReply < 0:
		return nil, fmt.Errorf("the bound of a reply: %d bytes is negative; leave it out for %d", cfg.MaxReply, DefaultMaxReply)
	}
	c := &Caller{
		url:      u,
		shown:    shown(u),
		headers:  headers,
		timeout:  orDefault(cfg.Timeout, DefaultTimeout),
		maxReply: orDefault(cfg.MaxReply, DefaultMaxReply),
		statuses: cfg.Statuses,
		redact:   redact.New(secretsOf(u, cfg.Headers)...),
		places:   make(chan struct{}, orDefault(cfg.Concurrency, DefaultConcurrency)),
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// Every place keeps its connection between calls.
	transport.MaxIdleConnsPerHost = cap(c.places)
	transport.MaxIdleConns = 0
	c.client = &http.Client{
		Transport: bounded{next: transport, host: host, limit: c.maxReply},
		// A redirect of a POST would be followed as a GET, or carry the
		// headers' secrets somewhere else: the caller is told instead.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// At returns a Caller for the URL with path elements joined to it, each escaped
// as one element. It shares everything with c: connections, places, Close.
func (c *Caller) At(elements ...string) *Caller {
	escaped := make([]string, len(elements))
	for i, e := range elements {
		escaped[i] = url.PathEscape(e)
	}
	at := *c
	at.url = c.url.JoinPath(escaped...)
	at.shown = shown(at.url)
	return &at
}

// Concurrency returns how many calls run at once.
func (c *Caller) Concurrency() int { return cap(c.places) }

// HTTPClient returns the client under the Caller, for an SDK that makes the
// calls by itself between Begin and End. It follows no redirect and bounds replies.
func (c *Caller) HTTPClient() *http.Client { return c.client }

// Headers returns the headers that every call sends, for such an SDK.
func (c *Caller) Headers() http.Header { return c.headers.Clone() }

// Close closes the idle connections. Calls that still run end by themselves.
func (c *Caller) Close() error {
	c.client.Transport.(bounded).next.CloseIdleConnections()
	return nil
}

// shown is a URL fit for an error: no user, password, query or fragment.
func shown(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

func secretsOf(u *url.URL, headers map[string]string) []string {
	var secrets []string
	for _, v := range headers {
		secrets = append(secrets, v)
	}
	if password, ok := u.User.Password(); ok {
		secrets = append(secrets, password)
	}
	for _, values := range u.Query() {
		secrets = append(secrets, values...)
	}
	return secrets
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
