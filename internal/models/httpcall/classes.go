package httpcall

import (
	"fmt"
	"slices"

	"github.com/leatdev/leat/worker"
)

// Statuses overrides the class of single HTTP statuses, 201 to 599.
type Statuses struct {
	// Poison statuses send the record to the dead letters at once.
	Poison []int
	// Pause statuses are an outage: the step pauses and probes.
	Pause []int
	// Retry statuses are tried again with back-off.
	Retry []int
}

func (s Statuses) check() error {
	seen := map[int]string{}
	for _, set := range []struct {
		name  string
		codes []int
	}{{"poison", s.Poison}, {"pause", s.Pause}, {"retry", s.Retry}} {
		for _, code := range set.codes {
			if code <= 200 || code > 599 {
				return fmt.Errorf("errors.%s: %d is not a status that can fail; use 201 to 599", set.name, code)
			}
			if other := seen[code]; other != "" {
				return fmt.Errorf("errors.%s: %d is in errors.%s, too; keep one", set.name, code, other)
			}
			seen[code] = set.name
		}
	}
	return nil
}

// Class returns the class of an HTTP status, 0 when it is a success.
//
// Statuses that say nothing about whom they concern (409, 412, 418, ...) are
// retriable: when only one record meets them its attempts are soon used up,
// when every record does the worker sees that and pauses.
func (s Statuses) Class(status int) worker.Class {
	switch {
	case slices.Contains(s.Poison, status):
		return worker.Poison
	case slices.Contains(s.Pause, status):
		return worker.Outage
	case slices.Contains(s.Retry, status):
		return worker.Retriable
	case status >= 200 && status < 300:
		return 0
	case status >= 300 && status < 400: // never followed, and the same for each record
		return worker.Outage
	}
	switch status {
	case 400, 413, 415, 422, // the request as such
		431: // its headers, of which the record's trace and id are part
		return worker.Poison
	case 401, 402, 403, 404, 405, 406, 407, 410, 411, 414, 416, 417, 421, 426, 428, 451:
		// Who we are, where we call and how: the same for each record.
		return worker.Outage
	}
	return worker.Retriable
}
