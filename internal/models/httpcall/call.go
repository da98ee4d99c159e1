package httpcall

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"

	"github.com/leatdev/leat/internal/models/redact"
	"github.com/leatdev/leat/worker"
)

// Call is one call under way: its place among the concurrent ones, its time
// limit, and whether a connection was had.
type Call struct {
	// Context is what the request must be made with.
	Context   context.Context
	caller    *Caller
	parent    context.Context
	cancel    context.CancelFunc
	connected atomic.Bool
}

// Begin waits for one of the places and starts the call's time limit. It fails
// only when ctx ends first. Every Begin is followed by an End.
func (c *Caller) Begin(ctx context.Context) (*Call, error) {
	select {
	case c.places <- struct{}{}:
	case <-ctx.Done():
		return nil, c.failed(worker.Retriable, fmt.Errorf("given up before it was made: %w", ctx.Err()))
	}
	call := &Call{caller: c, parent: ctx}
	timed, cancel := context.WithTimeout(ctx, c.timeout)
	call.cancel = cancel
	call.Context = httptrace.WithClientTrace(timed, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { call.connected.Store(true) },
	})
	return call, nil
}

// End gives the call's place back.
func (call *Call) End() {
	call.cancel()
	<-call.caller.places
}

// Failed classes an error that a call met without getting a whole reply.
// Before a connection is had (name lookup, connecting, TLS) nothing of the
// record was sent: every record would meet it, an outage. After it, a broken
// connection or a time-out is that call's own: retriable.
func (call *Call) Failed(err error) error {
	c := call.caller
	if parent := call.parent.Err(); parent != nil {
		return c.failed(worker.Retriable, fmt.Errorf("cut short: %w", parent))
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return c.failed(worker.Retriable, fmt.Errorf("reply is longer than %d bytes", tooLarge.Limit))
	}
	connected := call.connected.Load()
	if call.Context.Err() != nil {
		if !connected {
			return c.failed(worker.Outage, fmt.Errorf("no connection within %s", c.timeout))
		}
		return c.failed(worker.Retriable, fmt.Errorf("no whole reply within %s", c.timeout))
	}
	// url.Error repeats the URL with its query.
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err
	}
	err = errors.New(c.redact.Text(err.Error()))
	if !connected {
		return c.failed(worker.Outage, fmt.Errorf("cannot connect: %w", err))
	}
	return c.failed(worker.Retriable, fmt.Errorf("connection broke: %w", err))
}

// Refused makes the error of a reply whose status is not a success. reason is
// what it said, for people: the body, or what an SDK found in it.
func (c *Caller) Refused(status int, h http.Header, reason []byte) *worker.Error {
	text := fmt.Sprintf("status %d %s", status, http.StatusText(status))
	if status >= 300 && status < 400 {
		// Where to may hold a token; host and path say enough.
		if to, err := url.Parse(h.Get("Location")); err == nil && to.Path != "" {
			text += " to " + c.redact.Text(shown(to)) + " is not followed; declare the url it leads to"
		}
	}
	if quote := c.redact.Quote(reason); quote != "" {
		text += ": " + quote
	}
	e := c.failed(c.statuses.Class(status), errors.New(text))
	e.RetryAfter = RetryAfter(h)
	return e
}

// Class returns the class of an HTTP status under the Config's overrides, 0 for success.
func (c *Caller) Class(status int) worker.Class { return c.statuses.Class(status) }

// BadReply makes the error of a reply that came with success but is not what
// the protocol says. It is retriable: a proxy's page instead of the model's
// answer passes, and a reply that stays bad uses the attempts up. what says
// what is wrong; body, when there is one, is quoted.
func (c *Caller) BadReply(what string, body []byte) error {
	if quote := c.redact.Quote(body); quote != "" {
		what += ": " + quote
	}
	return c.failed(worker.Retriable, errors.New(what))
}

func (c *Caller) failed(class worker.Class, err error) *worker.Error {
	return &worker.Error{Class: class, Stage: "call", Err: fmt.Errorf("call of %s: %w", c.shown, err)}
}

// Post sends a body and returns the reply's, or an error with its class.
// status tells 204 from an empty 200.
func (c *Caller) Post(ctx context.Context, body []byte, h http.Header) (status int, reply []byte, err error) {
	return c.do(ctx, http.MethodPost, body, h)
}

// Get returns the reply's body, or an error with its class.
func (c *Caller) Get(ctx context.Context) ([]byte, error) {
	_, reply, err := c.do(ctx, http.MethodGet, nil, nil)
	return reply, err
}

func (c *Caller) do(ctx context.Context, method string, body []byte, h http.Header) (int, []byte, error) {
	call, err := c.Begin(ctx)
	if err != nil {
		return 0, nil, err
	}
	defer call.End()
	req, err := http.NewRequestWithContext(call.Context, method, c.url.String(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, call.Failed(err)
	}
	req.Header = c.Headers()
	for name, values := range h {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, nil, call.Failed(err)
	}
	defer resp.Body.Close()
	if c.Class(resp.StatusCode) != 0 {
		reason, _ := io.ReadAll(io.LimitReader(resp.Body, redact.MaxText)) // what came before an error is enough
		return 0, nil, c.Refused(resp.StatusCode, resp.Header, reason)
	}
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, call.Failed(err)
	}
	return resp.StatusCode, reply, nil
}

// bounded lets no reply be longer than limit, and sets the declared Host.
type bounded struct {
	next  *http.Transport
	host  string // empty means the URL's
	limit int64
}

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	if b.host != "" {
		req = req.Clone(req.Context()) // a RoundTripper may not change its request
		req.Host = b.host
	}
	resp, err := b.next.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, b.limit)
	}
	return resp, err
}
