package worker

import "time"

// State is what a worker is doing.
type State string

const (
	StateNew      State = "new"      // Run was not called yet
	StateRunning  State = "running"  // working, or waiting for records
	StatePaused   State = "paused"   // waiting for something outside; Status.Pause says for what
	StateDraining State = "draining" // finishing what is in flight
	StateStopped  State = "stopped"  // Run has returned
)

// Status is a snapshot of a worker for consoles; its JSON form is stable.
type Status struct {
	Group  string   `json:"group"`
	Topics []string `json:"topics"`
	State  State    `json:"state"`
	// Pause is why the worker stands still; nil when it does not.
	Pause *Pause `json:"pause,omitempty"`
	// Calls is how many calls of the handler are running.
	Calls int `json:"calls"`
	// In, Out, Filtered, Retried, DeadLetters and Errors (by class) count since New.
	In          uint64            `json:"in"`
	Out         uint64            `json:"out"`
	Filtered    uint64            `json:"filtered"`
	Retried     uint64            `json:"retried"`
	DeadLetters uint64            `json:"deadLetters"`
	Errors      map[string]uint64 `json:"errors,omitempty"`
	// LastError is the newest failure of any kind, for people; empty when none.
	LastError   string    `json:"lastError,omitempty"`
	LastErrorAt time.Time `json:"lastErrorAt,omitzero"`
	// Partitions are those this worker reads now, sorted.
	Partitions []PartitionStatus `json:"partitions"`
}

// PauseReason is why a worker stands still, as metrics spell it.
type PauseReason string

const (
	PauseOutage     PauseReason = "outage"      // a failure of class Outage
	PauseFailing    PauseReason = "failing"     // every record fails: the breaker is open
	PauseRetryAfter PauseReason = "retry_after" // the backend asked to wait
	PauseProduce    PauseReason = "produce"     // results cannot be written
	PauseBlocked    PauseReason = "blocked"     // OrderStrict: a record blocks its partition
)

// Pause tells why and since when a worker stands still.
type Pause struct {
	Reason PauseReason `json:"reason"`
	Since  time.Time   `json:"since"`
	// Err is the failure that caused it or the newest probe met.
	Err string `json:"error"`
	// Next is when the worker tries again.
	Next time.Time `json:"next,omitzero"`
}

// PartitionStatus is one partition of a Status.
type PartitionStatus struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Committed is the offset this worker committed last, -1 when none yet.
	Committed int64 `json:"committed"`
	// InFlight counts the records read and not yet committed, Held those of them
	// whose outcome the handler still owes.
	InFlight int `json:"inFlight"`
	Held     int `json:"held"`
	// Full says that the partition is at its bound and is not fetched from.
	Full bool `json:"full"`
}

// Status returns a snapshot. It may be called at any time from any goroutine.
func (w *Worker) Status() Status {
	n := w.meter.counts()
	s := Status{
		Group: w.cfg.Group, Topics: w.cfg.Topics,
		In: sum(n.in), Out: sum(n.out), Filtered: sum(n.filtered), Retried: sum(n.retried),
		DeadLetters: sum(n.deadLetters), LastError: n.lastErr, LastErrorAt: n.lastErrAt,
	}
	for class, v := range n.errors {
		if s.Errors == nil {
			s.Errors = map[string]uint64{}
		}
		s.Errors[class.String()] = v
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s.State, s.Calls = w.state, w.running
	for _, p := range w.sortedPartitions() {
		s.Partitions = append(s.Partitions, PartitionStatus{
			Topic: p.topic, Partition: p.num, Committed: p.committed,
			InFlight: p.tracker.len(), Held: p.held, Full: p.full(),
		})
		if p.blocked != nil && s.Pause == nil {
			b := *p.blocked
			s.Pause = &b
		}
	}
	switch {
	case w.breaker.open:
		s.Pause = &Pause{Reason: w.breaker.reason, Since: w.breaker.since, Err: w.breaker.err.Error(), Next: w.breaker.next}
	case w.produce.waiting():
		s.Pause = &Pause{Reason: PauseProduce, Since: w.produce.since, Err: w.produce.err.Error(), Next: w.produce.next}
	}
	if s.Pause != nil && s.State == StateRunning {
		s.State = StatePaused
	}
	return s
}
