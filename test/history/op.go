package history

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Kind is what a client did.
type Kind string

const (
	// Send sends messages, in their order.
	Send Kind = "send"
	// Poll gets messages.
	Poll Kind = "poll"
	// Assign begins to read keys: at Offsets, where those are not Committed.
	Assign Kind = "assign"
	// Revoke ends it.
	Revoke Kind = "revoke"
	// Commit stores the group's Offsets; Fetch asks which are stored.
	Commit Kind = "commit"
	Fetch  Kind = "fetch"
	// Ends asks where keys end (their high watermark).
	Ends Kind = "ends"
)

// Status is how it ended.
type Status string

const (
	// OK is done, for sure.
	OK Status = "ok"
	// Failed is not done, for sure, and never will be.
	Failed Status = "failed"
	// Unknown may have been done: the answer was lost.
	Unknown Status = "unknown"
)

// Committed stands in an Assign's offsets for where the group had come to.
const Committed = -1

// Message is a value at its place. Values are unique in a history.
type Message struct {
	Key    string `json:"k"` // topic/partition
	Offset int64  `json:"o"` // -1: not known
	Value  int64  `json:"v"`
}

// Op is one operation of one client. A client does one after the other: its
// operations stand in the history in their order.
type Op struct {
	Client string
	Kind   Kind
	Status Status
	// Start and End are when it was begun and when its end was known, on the
	// history's clock.
	Start, End time.Duration
	// Messages of a Send and of a Poll.
	Messages []Message `json:",omitempty"`
	// Once says that the producer is idempotent: no message of the Send may be
	// there twice. Durable says that it asked for acks=all.
	Once, Durable bool `json:",omitempty"`
	// Offsets by key, of all the others.
	Offsets map[string]int64 `json:",omitempty"`
}

// Write writes a history, an operation a line.
func Write(w io.Writer, ops []Op) error {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	for _, op := range ops {
		if err := e.Encode(op); err != nil {
			return err
		}
	}
	return b.Flush()
}

// Read reads what Write has written.
func Read(r io.Reader) ([]Op, error) {
	d := json.NewDecoder(bufio.NewReader(r))
	var ops []Op
	for {
		var op Op
		switch err := d.Decode(&op); err {
		case nil:
			ops = append(ops, op)
		case io.EOF:
			return ops, nil
		default:
			return nil, fmt.Errorf("operation %d: %w", len(ops), err)
		}
	}
}
