package modeltest

import (
	"strconv"
	"strings"
)

// Kind is what a text tells a backend to do.
type Kind string

const (
	// Plain: answer it, as AnswerTo or Vector say.
	Plain Kind = ""
	// Poison, Retriable, Outage: refuse this record in the protocol's way of that class.
	Poison    Kind = "!poison"
	Retriable Kind = "!retriable"
	Outage    Kind = "!outage"
	// Later: refuse it as retriable and ask for a wait of Order.Seconds.
	Later Kind = "!later"
	// Null: answer null.
	Null Kind = "!null"
	// Hang: never answer; stop when the caller has gone.
	Hang Kind = "!hang"
	// Garbage: answer the call with something that is not of the protocol.
	Garbage Kind = "!garbage"
	// Short, Extra: answer the call with one answer less, or more, than asked for.
	Short Kind = "!short"
	Extra Kind = "!extra"
	// Die: break off in the middle: abort the connection, exit, panic.
	Die Kind = "!die"
)

// Order is what a backend reads out of a text.
type Order struct {
	Kind    Kind
	Seconds int    // of Later
	Text    string // the whole text
}

// Read reads a text: an order starts with one of the Kinds and a space, all
// other texts want a plain answer.
func Read(text string) Order {
	o := Order{Text: text}
	words := strings.Fields(text)
	if len(words) == 0 || !strings.HasPrefix(words[0], "!") {
		return o
	}
	o.Kind = Kind(words[0])
	if o.Kind == Later && len(words) > 1 {
		o.Seconds, _ = strconv.Atoi(words[1]) // a mistake shows as a wait of 0
	}
	return o
}

// Worst returns the first order among texts that is not plain, for backends
// whose records stand or fall together; else a plain one.
func Worst(texts []string) Order {
	for _, text := range texts {
		if o := Read(text); o.Kind != Plain && o.Kind != Null {
			return o
		}
	}
	return Order{}
}

// AnswerTo is the honest answer to a value that is not an order: text gives an
// object that holds it and its length, everything else comes back as it is.
func AnswerTo(value any) any {
	if text, ok := value.(string); ok {
		return map[string]any{"text": text, "length": float64(len(text))}
	}
	return value
}

// Vector is the honest answer of an embedding backend: three numbers that tell
// any two texts of the suite apart.
func Vector(text string) []float64 {
	sum, weighted := 0.0, 0.0
	for i := range len(text) {
		sum += float64(text[i])
		weighted += float64(i%997+1) * float64(text[i])
	}
	return []float64{float64(len(text)), sum, weighted}
}
