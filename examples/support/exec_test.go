package support_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/leatdev/leat/examples/support"
)

// odd are texts that are no messages of the example's kind.
var odd = []string{
	"", " ", "a", "don't can't CANNOT won't it's I'd we'll they've", "it’s don’t", "'tis 'quoted' o'clock",
	"pay 1,234.50 at 10:30, ok?", "mail me@x.example. or see https://x.example/a?b=c!", "www.x.example).",
	"wow!!! really??? well...", ":-) :( <3 ;) :D :Done 10:D", "state-of-the-art -- top-up",
	"👍🏽 👨‍👩‍👧 ❤️🙁", "İstanbul ΣΊΣΥΦΟΣ straße ǅ", "日本語のメッセージ", "مرحبا بالعالم", "e\u0301 n\u0303", "\u200b\u00a0x\u3000y",
	"<b>&amp;</b> \"quoted\" \\ \t\n tab", "_under_score__ ** == ~~", "'s", "n't", "’s", strings.Repeat("very long words ", 300),
}

// lines are requests for all of the example's messages and for odd texts.
func lines(t *testing.T) (requests []byte, n int) {
	t.Helper()
	records, err := support.Messages()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		requests = fmt.Appendf(requests, "{\"id\":\"%d\",\"value\":%s}\n", n, r.Value)
		n++
	}
	for _, text := range odd {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		requests = fmt.Appendf(requests, "{\"id\":\"%d\",\"value\":{\"text\":%s}}\n", n, quoted)
		n++
	}
	return requests, n
}

type execReply struct {
	ID     any
	Result map[string]any
	Error  string
	Class  string
}

func replies(t *testing.T, out []byte) []execReply {
	t.Helper()
	var all []execReply
	for line := range bytes.Lines(out) {
		var r execReply
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("reply %d: %v: %s", len(all), err, line)
		}
		all = append(all, r)
	}
	return all
}

func open(t *testing.T) *support.Models {
	t.Helper()
	m, err := support.Open("")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTaggerInPythonAnswersAlike(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 here")
	}
	requests, n := lines(t)
	var ours bytes.Buffer
	if err := support.ServeExec(t.Context(), bytes.NewReader(requests), &ours, open(t).Tag); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "python/tagger.py")
	cmd.Stdin = bytes.NewReader(requests)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want, got := replies(t, ours.Bytes()), replies(t, out)
	if len(want) != n || len(got) != n {
		t.Fatalf("%d requests, %d replies of Go, %d of Python", n, len(want), len(got))
	}
	for i := range want {
		if want[i].Error != "" || !reflect.DeepEqual(want[i], got[i]) {
			t.Errorf("request %d:\nGo     %v\nPython %v", i, want[i], got[i])
		}
	}
}

// Whatever a line holds, both children answer it under its id and go on.
func TestExecAnswersEveryLine(t *testing.T) {
	t.Parallel()
	input := strings.Join([]string{
		`{"id":"1","value":{"text":"hello"}}`, `{"id":"2","value":{"text":{"oops":1}}}`, `{"id":"3","value":null}`, `{"id":"4"}`,
		`{"id":"5","value":[]}`, `[1]`, `not json`, ``, `{"id":"8","value":{"text":"` + strings.Repeat("x", support.MaxChars+1) + `"}}`,
		`{"id":"9","value":{"text":"\ud800 lone"}}`, "{\"id\":\"10\",\"value\":{\"text\":\"\xff\"}}", `{"id":"11","value":{"text":"bye"}}`,
	}, "\n") // the last line has no end
	children := map[string]func() ([]byte, error){
		"go": func() ([]byte, error) {
			var out bytes.Buffer
			err := support.ServeExec(t.Context(), strings.NewReader(input), &out, open(t).Tag)
			return out.Bytes(), err
		},
	}
	if python, err := exec.LookPath("python3"); err == nil {
		children["python"] = func() ([]byte, error) {
			cmd := exec.CommandContext(t.Context(), python, "python/tagger.py")
			cmd.Stdin = strings.NewReader(input)
			return cmd.Output()
		}
	}
	want := []string{"1 ok", "2 error", "3 error", "4 error", "5 error", "<nil> error", "<nil> error", "8 error", "9 ok", "10 ok", "11 ok"}
	for name, child := range children {
		out, err := child()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []string
		for _, r := range replies(t, out) {
			state := "ok"
			if r.Error != "" && r.Result == nil && r.Class == "poison" {
				state = "error"
			}
			got = append(got, fmt.Sprint(r.ID, " ", state))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
