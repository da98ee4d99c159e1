package worker

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A cluster that is away for long fails every poll; the log hears of it now and
// then.
func TestAFailureToReadIsNotLoggedAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		w := &Worker{cfg: Config{Group: "g", Logger: slog.New(slog.NewTextHandler(&log, nil))}}
		for range 600 { // a minute of them
			w.complain("", -1, errors.New("refused"))
			<-time.After(100 * time.Millisecond)
		}
		if n := strings.Count(log.String(), "reading fails"); n != 2 {
			t.Errorf("%d lines in a minute:\n%s", n, log.String())
		}
	})
}
