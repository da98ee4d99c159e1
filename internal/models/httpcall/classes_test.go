package httpcall

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatdev/leat/internal/models/modeltest"
	"github.com/leatdev/leat/worker"
)

func TestClassOfEveryStatus(t *testing.T) {
	want := map[int]worker.Class{}
	for s := 200; s < 300; s++ {
		want[s] = 0
	}
	for s := 300; s < 400; s++ {
		want[s] = worker.Outage
	}
	for s := 400; s < 600; s++ {
		want[s] = worker.Retriable
	}
	for class, statuses := range map[worker.Class][]int{
		worker.Poison: {400, 413, 415, 422, 431},
		worker.Outage: {401, 402, 403, 404, 405, 406, 407, 410, 411, 414, 416, 417, 421, 426, 428, 451},
	} {
		for _, s := range statuses {
			want[s] = class
		}
		modeltest.InDocs(t, strings.Trim(strings.ReplaceAll(fmt.Sprint(statuses), " ", ", "), "[]"))
	}
	for s, w := range want {
		if got := (Statuses{}).Class(s); got != w {
			t.Errorf("status %d: class %s, want %s", s, got, w)
		}
	}
}

func TestStatusesOverride(t *testing.T) {
	s := Statuses{Poison: []int{500}, Pause: []int{400}, Retry: []int{202, 404}}
	for status, want := range map[int]worker.Class{500: worker.Poison, 400: worker.Outage, 202: worker.Retriable, 404: worker.Retriable, 200: 0, 503: worker.Retriable} {
		if got := s.Class(status); got != want {
			t.Errorf("status %d: class %s, want %s", status, got, want)
		}
	}
	for _, bad := range []Statuses{{Poison: []int{200}}, {Pause: []int{600}}, {Retry: []int{4}}, {Poison: []int{400}, Retry: []int{400}}} {
		if _, err := New(Config{URL: "http://h", Statuses: bad}); err == nil || !strings.Contains(err.Error(), "errors.") {
			t.Errorf("New with %+v: %v, want an error that names the set", bad, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the clock stands still in here
		now := time.Now().UTC()
		for _, c := range []struct {
			header, value, date string
			want                time.Duration
		}{
			{"Retry-After", "7", "", 7 * time.Second},
			{"Retry-After", " 0 ", "", 0},
			{"Retry-After", "-3", "", 0},
			{"Retry-After", "soon", "", 0},
			{"Retry-After", "NaN", "", 0},
			{"Retry-After", "99999999999999999999999", "", 24 * time.Hour},
			{"Retry-After", now.Add(90 * time.Second).Format(http.TimeFormat), "", 90 * time.Second},
			{"Retry-After", now.Add(-time.Hour).Format(http.TimeFormat), "", 0},
			{"Retry-After", now.AddDate(1, 0, 0).Format(http.TimeFormat), "", 24 * time.Hour},
			// The server's clock is an hour ahead; it means two minutes.
			{"Retry-After", now.Add(62 * time.Minute).Format(http.TimeFormat), now.Add(time.Hour).Format(http.TimeFormat), 2 * time.Minute},
			{"Retry-After-Ms", "1500", "", 1500 * time.Millisecond},
			{"X-Other", "7", "", 0},
		} {
			h := http.Header{}
			h.Set(c.header, c.value)
			h.Set("Date", c.date)
			if got := RetryAfter(h); got != c.want {
				t.Errorf("%s: %q (date %q): %s, want %s", c.header, c.value, c.date, got, c.want)
			}
		}
	})
}
