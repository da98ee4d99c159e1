package group

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// fault is an error of a request, with a sentence for whoever reads the client's log.
type fault struct {
	err  *kerr.Error
	text string
}

func (f *fault) Error() string { return f.text }
func (f *fault) Unwrap() error { return f.err }

func faultf(err *kerr.Error, format string, args ...any) error {
	return &fault{err, fmt.Sprintf(format, args...)}
}

// invalid is the fault of a request that makes no sense.
func invalid(text string) error { return &fault{kerr.InvalidRequest, text} }

// faultOf is what a client is told about an error.
func faultOf(err error) (code int16, text *string) {
	code = codeOf(err)
	var f *fault
	if errors.As(err, &f) {
		return code, &f.text
	}
	return code, &kerr.TypedErrorForCode(code).Description
}

// refuse answers a request with why it cannot be answered well: that a member is not
// known, or that its epoch is not, may not be on disk yet.
func (c *Coordinator) refuse(t Token, group string, err error, failed func(error) any) {
	c.whenShown(c.groups[group], c.replying(t, failed(err), failed))
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// fits says whether names can be put into the keys of records, and into values of the
// older encoding: requests may have longer ones.
func fits(names ...string) bool {
	for _, n := range names {
		if len(n) > math.MaxInt16 {
			return false
		}
	}
	return true
}
