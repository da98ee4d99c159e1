package catalog

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Refusal is an error that is meant for a client: a code of the protocol, and the
// sentence that goes into the answer's error message.
type Refusal struct {
	Code    *kerr.Error
	Message string
}

func (r *Refusal) Error() string { return r.Code.Message + ": " + r.Message }

// Unwrap makes the code visible to errors.As and errors.Is.
func (r *Refusal) Unwrap() error { return r.Code }

// Refuse makes a Refusal.
func Refuse(code *kerr.Error, format string, args ...any) error {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, args...)}
}
