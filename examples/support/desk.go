package support

import (
	"fmt"
	"strings"
)

// Line is a row of the topic support.desk in one line for people: who wrote,
// what they want, how they feel, which products they name, which checklist may
// help, the beginning of the text, and which parts are missing.
func Line(row map[string]any) string {
	message := objectOf(row, "message")
	parts := []string{fmt.Sprintf("%-7v", stringOf(message, "customer"))}
	if class := objectOf(row, "class"); class != nil {
		parts = append(parts, fmt.Sprintf("%-10s", stringOf(class, "name")))
	}
	if mood := objectOf(row, "mood"); mood != nil {
		score, _ := mood["score"].(float64)
		parts = append(parts, fmt.Sprintf("%+.2f", score))
	}
	parts = append(parts, quoted(stringOf(message, "text")))
	var names []string
	for _, keyword := range listOf(objectOf(row, "keywords"), "keywords") {
		names = append(names, stringOf(keyword, "name"))
	}
	if names != nil {
		parts = append(parts, "["+strings.Join(names, ", ")+"]")
	}
	if checklists := listOf(objectOf(row, "help"), "checklists"); len(checklists) > 0 {
		parts = append(parts, "→ "+stringOf(checklists[0], "title"))
	}
	if missing := objectOf(row, "missing"); missing != nil {
		parts = append(parts, fmt.Sprint("missing ", missing))
	}
	return strings.Join(parts, "  ")
}

// shown is how much of a text a line shows, in characters.
const shown = 60

func quoted(s string) string {
	runes := []rune(s)
	if len(runes) > shown {
		s = string(runes[:shown-1]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

func objectOf(object map[string]any, name string) map[string]any {
	c, _ := object[name].(map[string]any)
	return c
}

func stringOf(object map[string]any, name string) string {
	s, _ := object[name].(string)
	return s
}

func listOf(object map[string]any, name string) []map[string]any {
	elements, _ := object[name].([]any)
	var objects []map[string]any
	for _, e := range elements {
		o, _ := e.(map[string]any)
		objects = append(objects, o)
	}
	return objects
}
