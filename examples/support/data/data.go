// Package data holds what the example was trained and measured with: messages
// of the customers of Tidewell, a bank with a shop that does not exist, written
// for this example and labelled by hand; sentences tagged by hand; help
// checklists; the bank's list of products; and a lexicon of praise and blame. All of it is the project's own
// and under its licence.
package data

import (
	"bufio"
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io"

	"github.com/leatdev/leat/examples/support/models/mood"
	"github.com/leatdev/leat/examples/support/models/tagger"
)

// Message is a labelled message.
type Message struct {
	ID       string `json:"id"`
	Customer string `json:"customer"`
	Text     string `json:"text"`
	// Class is help, compliment, complaint or other.
	Class string `json:"class"`
	// Products are the products and features the text names, in lower case, as
	// it spells them.
	Products []string `json:"products"`
	// Checklist is the id of the one that helps; "" when none does.
	Checklist string `json:"checklist"`
	// Sentiment is the tone: positive, negative or neutral.
	Sentiment string `json:"sentiment"`
	// Split is "train" or "heldout". Nothing is ever trained on the latter.
	Split string `json:"split"`
}

// HeldOut tells whether the message is kept for measuring.
func (m Message) HeldOut() bool { return m.Split == "heldout" }

// Checklist is what a support agent goes through with a customer.
type Checklist struct {
	ID    string   `json:"id"`
	Title string   `json:"title"`
	Steps []string `json:"steps"`
	// AskedAs are some ways in which customers ask for it.
	AskedAs []string `json:"asked_as"`
}

//go:embed messages.jsonl checklists.jsonl lexicon.txt products.txt tagged-train.conllu tagged-heldout.conllu
var files embed.FS

// Messages are the example's own messages, in the order of the file.
func Messages() ([]Message, error) { return own("messages.jsonl", ReadMessages) }

// Checklists are the help checklists.
func Checklists() ([]Checklist, error) { return own("checklists.jsonl", readLines[Checklist]) }

// Lexicon is the lexicon of praise and blame.
func Lexicon() (*mood.Lexicon, error) { return own("lexicon.txt", mood.ReadLexicon) }

// Products are the names of the bank's products and features, as its catalogue
// spells them.
func Products() ([]string, error) {
	return own("products.txt", func(r io.Reader) ([]string, error) {
		var names []string
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			names = append(names, lines.Text())
		}
		return names, lines.Err()
	})
}

// Tagged are the sentences tagged by hand; nothing is ever trained on heldOut.
func Tagged() (train, heldOut []tagger.Sentence, err error) {
	if train, err = own("tagged-train.conllu", tagger.ReadCoNLLU); err != nil {
		return nil, nil, err
	}
	heldOut, err = own("tagged-heldout.conllu", tagger.ReadCoNLLU)
	return train, heldOut, err
}

func own[T any](name string, read func(io.Reader) (T, error)) (T, error) {
	var none T
	b, err := files.ReadFile(name)
	if err != nil {
		return none, err
	}
	v, err := read(bytes.NewReader(b))
	if err != nil {
		return none, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

// ReadMessages reads labelled messages, one JSON object a line. Text and class
// are required.
func ReadMessages(r io.Reader) ([]Message, error) {
	messages, err := readLines[Message](r)
	if err != nil {
		return nil, err
	}
	for i, m := range messages {
		if m.Text == "" || m.Class == "" {
			return nil, fmt.Errorf("message %d: a message needs a text and a class (help, compliment, complaint or other)", i+1)
		}
	}
	return messages, nil
}

// maxLine bounds a line of the JSON files, in bytes.
const maxLine = 1 << 20

func readLines[T any](r io.Reader) ([]T, error) {
	var out []T
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		out = append(out, v)
	}
	return out, lines.Err()
}
