package openai

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/openai/openai-go/v3"

	"github.com/leatdev/leat/internal/models/httpcall"
	"github.com/leatdev/leat/internal/models/redact"
	"github.com/leatdev/leat/worker"
)

// codesOfOutage are error codes and types which say more than their status:
// every record meets them, and waiting for a limit to pass does not help.
var codesOfOutage = []string{
	"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", // 429
	"model_not_found", "invalid_api_key", "account_deactivated", // some servers answer 400
}

// refused is an answer of the API that is no success.
type refused struct {
	error
	param, message string
}

func (r *refused) Unwrap() error { return r.error }

// failed classes what the SDK returned: by the API's own code where that says
// more than the HTTP status, by the status, or as a call that got no answer.
func (m *model) failed(call *httpcall.Call, answered *http.Response, err error) error {
	var api *openai.Error
	switch {
	case errors.As(err, &api):
		answered = api.Response
	case answered == nil || call.Context.Err() != nil:
		return call.Failed(err)
	case m.caller.Class(answered.StatusCode) == 0:
		// A success that the SDK cannot read. Its body has been read.
		return m.caller.BadReply("reply is not one of the embeddings API: "+err.Error(), nil)
	}
	status, header := answered.StatusCode, answered.Header
	reason, _ := io.ReadAll(io.LimitReader(answered.Body, redact.MaxText)) // what came before an error is enough
	_ = answered.Body.Close()
	if api != nil && api.Message != "" {
		reason = []byte(api.Message)
		if what := firstOf(api.Code, api.Type); what != "" {
			reason = fmt.Appendf(nil, "%s: %s", what, api.Message)
		}
	}
	e := m.caller.Refused(status, header, reason)
	if e.RetryAfter == 0 && status == http.StatusTooManyRequests {
		e.RetryAfter = untilReset(header)
	}
	if api == nil {
		return e
	}
	if slices.Contains(codesOfOutage, api.Code) || slices.Contains(codesOfOutage, api.Type) {
		e.Class = worker.Outage
	}
	if e.Class == worker.Poison {
		return &refused{error: e, param: api.Param, message: api.Message}
	}
	return e
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// untilReset is the wait until the limits that are used up are filled again,
// of the headers x-ratelimit-{remaining,reset}-{requests,tokens}; the reset is
// written like 1s or 6m0s.
func untilReset(h http.Header) time.Duration {
	var wait time.Duration
	for _, of := range []string{"Requests", "Tokens"} {
		if h.Get("X-Ratelimit-Remaining-"+of) != "0" {
			continue
		}
		if d, err := time.ParseDuration(h.Get("X-Ratelimit-Reset-" + of)); err == nil && d > 0 {
			wait = max(wait, min(d, 24*time.Hour))
		}
	}
	return wait
}

// place is how the API names one text of several: input[3], or input.3.
var place = regexp.MustCompile(`\binput(?:\[(\d+)\]|\.(\d+)\b)`)

// refusedText returns which of n texts a refusal is about, -1 when it does not
// say or is not one: then all of them are.
func refusedText(err error, n int) int {
	var r *refused
	if !errors.As(err, &r) || n == 1 {
		return -1
	}
	for _, said := range []string{r.param, r.message} {
		if match := place.FindStringSubmatch(said); match != nil {
			if i, err := strconv.Atoi(firstOf(match[1], match[2])); err == nil && i < n {
				return i
			}
		}
	}
	return -1
}
