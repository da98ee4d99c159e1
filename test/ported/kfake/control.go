package kfake

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type control struct {
	key int16
	fn  func(kmsg.Request) (kmsg.Response, error, bool)
}

// ControlKey has a function look at every request with the key until it answers
// one. A function that answers (true) with an error ends the connection.
func (c *Cluster) ControlKey(key int16, fn func(kmsg.Request) (kmsg.Response, error, bool)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.controls = append(c.controls, &control{key, fn})
}

// Fault fails requests, once, with a top-level error code instead of passing
// them on.
type Fault struct {
	Keys []kmsg.Key              // which requests
	Err  *kerr.Error             // the error that is answered
	When func(kmsg.Request) bool // nil: the first one
}

type fault struct {
	Fault
	left int
}

// Fault has the next request that each of the faults fits fail.
func (c *Cluster) Fault(faults ...Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range faults {
		c.faults = append(c.faults, &fault{f, 1})
	}
}

// concerned tells whether somebody wants to see requests with the key.
func (c *Cluster) concerned(key int16) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.controls, func(x *control) bool { return x.key == key }) ||
		slices.ContainsFunc(c.faults, func(f *fault) bool { return f.left > 0 && slices.Contains(f.Keys, kmsg.Key(key)) })
}

// intercept shows a request to the controls and faults. handled says that one
// of them has answered; the answer may be an error, or nil for none at all.
func (c *Cluster) intercept(req kmsg.Request) (resp kmsg.Response, err error, handled bool) {
	c.mu.Lock()
	controls := slices.Clone(c.controls)
	c.mu.Unlock()
	for _, x := range controls {
		if x.key != req.Key() {
			continue
		}
		if resp, err, handled = x.fn(req); handled {
			c.mu.Lock()
			c.controls = slices.DeleteFunc(c.controls, func(y *control) bool { return y == x })
			c.mu.Unlock()
			return resp, err, true
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.faults {
		if f.left > 0 && slices.Contains(f.Keys, kmsg.Key(req.Key())) && (f.When == nil || f.When(req)) {
			f.left--
			resp, err := failed(req, f.Err.Code)
			return resp, err, true
		}
	}
	return nil, nil, false
}

// failed is the answer to a request with an error code at its top level.
func failed(req kmsg.Request, code int16) (kmsg.Response, error) {
	resp := req.ResponseKind()
	field := reflect.ValueOf(resp).Elem().FieldByName("ErrorCode")
	if !field.IsValid() {
		return nil, fmt.Errorf("%s has no error code of its own", kmsg.NameForKey(req.Key()))
	}
	field.SetInt(int64(code))
	return resp, nil
}
