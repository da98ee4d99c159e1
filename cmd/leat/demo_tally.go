package main

import (
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/deadletter"
)

// demoTally counts records: every message that went in must come out as one row,
// and whatever a row lacks must lie in the dead-letter topic.
type demoTally struct {
	firstRows  chan struct{} // closed when every message has its row
	amendedRow chan struct{} // closed when a row that lacked something is whole

	mu      sync.Mutex
	want    int
	rows    int            // that came out for the first time
	byRow   map[string]int // first rows by event id
	lacking map[string]map[string]any
	amended map[string]bool
	letters map[string]bool // topic/partition/offset
}

func newDemoTally(want int) *demoTally {
	return &demoTally{
		firstRows: make(chan struct{}), amendedRow: make(chan struct{}), want: want,
		byRow: map[string]int{}, lacking: map[string]map[string]any{}, amended: map[string]bool{}, letters: map[string]bool{},
	}
}

func (t *demoTally) dead(l deadletter.Letter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.letters[l.ID()] = true
}

func (t *demoTally) row(r *kgo.Record, row map[string]any) {
	id := event.Identify(r)
	t.mu.Lock()
	defer t.mu.Unlock()
	if row["amended"] == true {
		t.amended[id.ID] = true
		if row["missing"] == nil {
			delete(t.lacking, id.ID)
			if len(t.lacking) == 0 {
				closeOnce(t.amendedRow)
			}
		}
		return
	}
	t.byRow[id.ID]++
	if missing, ok := row["missing"].(map[string]any); ok {
		t.lacking[id.ID] = missing
	}
	if t.rows++; t.rows == t.want {
		closeOnce(t.firstRows)
	}
}

func closeOnce(ch chan struct{}) {
	select {
	case <-ch:
	default:
		close(ch)
	}
}

// check is an error unless all that went in is accounted for, once.
func (t *demoTally) check() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rows != t.want || len(t.byRow) != t.want {
		return fmt.Errorf("%d messages went in, %d rows of %d messages came out", t.want, t.rows, len(t.byRow))
	}
	for id, missing := range t.lacking {
		for part, where := range missing {
			if !t.letters[fmt.Sprint(where)] {
				return fmt.Errorf("row %s lacks %s, and its dead letter %v is not there", id, part, where)
			}
		}
	}
	return nil
}

func (t *demoTally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%d of %d messages have their row, %d rows lack a part, %d amended, %s", t.rows, t.want, len(t.lacking), len(t.amended), cli.Count(len(t.letters), "dead letter"))
}
