package support

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/leatdev/leat/examples/support/models/tagger"
	"github.com/leatdev/leat/examples/support/models/text"
	"github.com/leatdev/leat/worker"
)

const (
	// MaxChars is the longest text that any of the models reads, in characters.
	MaxChars = 100_000
	// DefaultMaxChars is the longest text that the class server reads unless it
	// is told otherwise. One message of the example is longer.
	DefaultMaxChars = 1000
)

// poison is an error of a value that no second try can mend.
func poison(format string, args ...any) error {
	return worker.NewError(worker.Poison, fmt.Errorf(format, args...))
}

// reason is an error without its class, for replies that say the class elsewhere.
func reason(err error) string {
	var classed *worker.Error
	if errors.As(err, &classed) {
		err = classed.Err
	}
	return err.Error()
}

// textOf takes the text out of {text: "..."}.
func textOf(value any) (string, error) {
	object, ok := value.(map[string]any)
	if !ok {
		return "", poison("the value is %s: send an object with a text, {\"text\": \"...\"}", kindOf(value))
	}
	message, ok := object["text"].(string)
	if !ok {
		return "", poison("text is %s: send a string", kindOf(object["text"]))
	}
	return strings.ToValidUTF8(message, "\uFFFD"), checkLength(message, MaxChars)
}

func checkLength(message string, limit int) error {
	if n := utf8.RuneCountInString(message); n > limit {
		return poison("the text is %d characters long and this model reads at most %d: shorten it, or start the model with a higher limit (--max-chars, up to %d)",
			n, limit, MaxChars)
	}
	return nil
}

// taggedOf takes text and tags out of {text: "...", tags: [{word, tag}]}.
func taggedOf(value any) (string, tagger.Sentence, error) {
	message, err := textOf(value)
	if err != nil {
		return "", nil, err
	}
	list, ok := value.(map[string]any)["tags"].([]any)
	if !ok {
		return "", nil, poison("tags is %s: send the list of {word, tag} that the tagger makes", kindOf(value.(map[string]any)["tags"]))
	}
	tags := make(tagger.Sentence, len(list))
	for i, e := range list {
		object, _ := e.(map[string]any)
		word, isWord := object["word"].(string)
		tag, isTag := object["tag"].(string)
		if !isWord || !isTag {
			return "", nil, poison("tags[%d] is not an object with the strings word and tag", i)
		}
		tags[i] = tagger.Word{Word: word, Tag: tag}
	}
	return message, tags, nil
}

// vectorOf takes the vector out of {vector: {indices: [...], values: [...]}}.
func vectorOf(value any, dimensions int) (text.Vector, error) {
	object, _ := value.(map[string]any)
	vector, ok := object["vector"].(map[string]any)
	if !ok {
		return text.Vector{}, poison("the value has no vector: send {\"vector\": {\"indices\": [...], \"values\": [...]}} as embed makes it")
	}
	indices, ok1 := vector["indices"].([]any)
	values, ok2 := vector["values"].([]any)
	if !ok1 || !ok2 || len(indices) != len(values) {
		return text.Vector{}, poison("vector needs indices and values, two lists of one length")
	}
	var v text.Vector
	for i := range indices {
		at, ok1 := indices[i].(float64)
		weight, ok2 := values[i].(float64)
		if !ok1 || !ok2 || at != math.Trunc(at) || at < 0 || at >= float64(dimensions) {
			return text.Vector{}, poison("vector: entry %d is not an index below %d and a number; was it made by another embedding?", i, dimensions)
		}
		v.Indices, v.Values = append(v.Indices, int32(at)), append(v.Values, float32(weight))
	}
	return v, nil
}

// kindOf names a decoded JSON value's kind for error messages.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null or missing"
	case string:
		return "a string"
	case float64:
		return "a number"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("%T", v)
}
