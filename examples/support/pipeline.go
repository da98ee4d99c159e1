package support

import (
	_ "embed"
	"encoding/json"
	"strings"
)

// Pipeline is the pipeline file as it lies in the folder.
//
//go:embed support.yaml
var Pipeline string

// Where the pipeline file expects the models; Place puts others there.
const (
	moodURL       = `"http://127.0.0.1:8700"`
	classURL      = `"http://127.0.0.1:8701/classify"`
	taggerCommand = `[go, run, ./examples/support/serve, tagger]`
)

// Places say where the models are that do not run in the program itself.
type Places struct {
	MoodURL  string   // of the v2 server, without /v2
	ClassURL string   // whole, with its path
	Tagger   []string // the child's program and arguments
}

// At is the pipeline file with the models at other places; an empty field
// leaves the file's own.
func (p Places) At() string {
	file := Pipeline
	replace := func(old string, value any) {
		quoted, err := json.Marshal(value) // JSON is YAML
		if err == nil {
			file = strings.Replace(file, old, string(quoted), 1)
		}
	}
	if p.MoodURL != "" {
		replace(moodURL, p.MoodURL)
	}
	if p.ClassURL != "" {
		replace(classURL, p.ClassURL)
	}
	if len(p.Tagger) > 0 {
		replace(taggerCommand, p.Tagger)
	}
	return file
}
