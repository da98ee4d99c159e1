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
	// Ends asks where keys end (their high watermark), Stable where for readers of
	// committed data (their last stable offset).
	Ends   Kind = "ends"
	Stable Kind = "stable"
	// Init is an InitProducerId of a transactional id: whoever had it is fenced.
	Init Kind = "init"
	// End ends a transaction. It is OK when it ended as was asked for, Failed when it was
	// aborted instead.
	End Kind = "end"
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
	// Txn is the transaction that a Send, a Poll, a Commit or an End belongs to, unique in
	// a history; 0 for none. A Send that is OK in it was answered, its fate is the End's; a
	// Commit takes effect with the End.
	Txn int64 `json:",omitempty"`
	// Group of a Commit in a transaction, and of a Fetch that is asked for when all is over.
	Group string `json:",omitempty"`
	// Abort says that an End asks for it.
	Abort bool `json:",omitempty"`
	// ID and Order of an Init: the transactional id, and a number that grows with each
	// Init of it (producer id and epoch).
	ID    string `json:",omitempty"`
	Order int64  `json:",omitempty"`
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
