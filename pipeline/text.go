package pipeline

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Text is a string of the declaration that may refer to secrets, ${env:NAME}.
// However it is printed (%v, %#v, JSON, slog) it shows the reference, never the
// value; only Reveal returns that.
type Text struct {
	Pos
	raw string
	// value is a pointer so that even a struct that holds a Text in an unexported
	// field, which fmt prints without asking Text, prints an address.
	value *string
}

// String returns the text as it was declared.
func (t Text) String() string { return t.raw }

// GoString is String: %#v must not show more than %v.
func (t Text) GoString() string { return fmt.Sprintf("%q", t.raw) }

// MarshalJSON writes the text as it was declared.
func (t Text) MarshalJSON() ([]byte, error) { return json.Marshal(t.raw) }

// Reveal returns the text with its secrets in it. It is empty before Resolve.
func (t Text) Reveal() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

var (
	// reference matches ${env:NAME} (group 1 is NAME), the escape $${ and any other ${.
	reference = regexp.MustCompile(`\$\$\{|\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}|\$\{`)
)

// check finds references that Resolve could not follow.
func (t Text) check() error {
	for _, m := range reference.FindAllString(t.raw, -1) {
		if m == "${" {
			return fmt.Errorf("%q has a ${ that is not ${env:NAME}; write $${ for the characters themselves", t.raw)
		}
	}
	return nil
}

// resolve returns the text with its references followed by lookup
// (os.LookupEnv), or the names that lookup does not know.
func (t Text) resolve(lookup func(string) (string, bool)) (Text, []string) {
	var unknown []string
	v := reference.ReplaceAllStringFunc(t.raw, func(m string) string {
		if m == "$${" {
			return "${"
		}
		name := strings.TrimSuffix(strings.TrimPrefix(m, "${env:"), "}")
		value, ok := lookup(name)
		if !ok {
			unknown = append(unknown, name)
		}
		return value
	})
	return Text{Pos: t.Pos, raw: t.raw, value: &v}, unknown
}
