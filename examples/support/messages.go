package support

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/leatdev/leat/examples/support/data"
)

// Record is a message as it goes into the topic support.messages.
type Record struct {
	// Key is the customer, so that a customer's messages keep their order.
	Key string
	// Value is {"id", "customer", "text"} as JSON.
	Value []byte
	// Poison tells that the class server, with the limit it has unless told
	// otherwise, refuses this message (see Fix).
	Poison bool
}

// Messages are the example's own messages in order. Exactly one is Poison.
func Messages() ([]Record, error) {
	messages, err := data.Messages()
	if err != nil {
		return nil, err
	}
	records := make([]Record, len(messages))
	for i, m := range messages {
		value, err := json.Marshal(struct {
			ID       string `json:"id"`
			Customer string `json:"customer"`
			Text     string `json:"text"`
		}{m.ID, m.Customer, m.Text})
		if err != nil {
			return nil, err
		}
		records[i] = Record{Key: m.Customer, Value: value, Poison: utf8.RuneCountInString(m.Text) > DefaultMaxChars}
	}
	return records, nil
}

// Fix says, in words, what makes the poison message pass: for the demo, which
// shows it before the line that redrives the dead letter.
const Fix = "a customer wrote more than the class server reads (--max-chars 1000): start it again with --max-chars 10000"

// FixedMaxChars is the limit that Fix speaks of.
const FixedMaxChars = 10_000
