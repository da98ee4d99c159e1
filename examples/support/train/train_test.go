package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatdev/leat/examples/support"
	"github.com/leatdev/leat/pipeline"
)

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Weights trained on one's own files answer in the place of the shipped ones.
func TestTrainOnOwnFiles(t *testing.T) {
	t.Parallel()
	topics := "id,category,text\n"
	for i := range 20 {
		topics += fmt.Sprintf("%d,weather,will it rain on day %d\n%d,food,what is for lunch at %d\n", i, i, i, i)
	}
	tagged := strings.Repeat("1\train\t_\tX\n\n1\tlunch\t_\tSYM\n\n", 20)
	messages := strings.Repeat(`{"text":"rain please","class":"help"}`+"\n"+`{"text":"rain is great","class":"compliment"}`+"\n", 10)
	out := t.TempDir()
	err := run([]string{write(t, "topics.csv", topics), "--out", out, write(t, "t.conllu", tagged), write(t, "m.jsonl", messages)})
	if err != nil {
		t.Fatal(err)
	}
	m, err := support.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	in := pipeline.Input{Value: map[string]any{"text": "rain", "tags": []any{map[string]any{"word": "rain", "tag": "X"}}}}
	tags, err := m.Tag(t.Context(), in)
	if err != nil || fmt.Sprint(tags) != "{[{rain X}]}" {
		t.Errorf("tags %v, %v", tags, err)
	}
	result, err := m.Class(100)(t.Context(), in)
	if c, _ := result.(support.Classified); err != nil || c.Intent.Name != "weather" || c.Name != "help" && c.Name != "compliment" {
		t.Errorf("class %+v, %v", result, err)
	}
	cards := strings.Join(m.Cards(), "\n")
	for _, want := range []string{"topics.csv (of the file's owner); accuracy 1.000 on 8 held-out", "t.conllu", "m.jsonl"} {
		if !strings.Contains(cards, want) {
			t.Errorf("the cards do not say %q:\n%s", want, cards)
		}
	}
}

func TestTrainRefuses(t *testing.T) {
	t.Parallel()
	good := write(t, "x.csv", "text,category\na,b\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{good}, "--out DIR"},
		{[]string{"--out", t.TempDir(), "missing.csv"}, "missing.csv"},
		{[]string{"--out", t.TempDir(), write(t, "x.xls", "")}, "no .csv, .conllu or .jsonl"},
		{[]string{"--out", t.TempDir(), write(t, "x.csv", "a,b\n1,2\n")}, "columns text and category"},
		{[]string{"--out", t.TempDir(), write(t, "x.csv", "text,category\n")}, "no row"},
		{[]string{"--out", t.TempDir(), write(t, "x.conllu", "nope\n")}, "line 1"},
		{[]string{"--out", t.TempDir(), write(t, "x.jsonl", "{\"text\":\"a\"}\n")}, "class"},
		{[]string{"--out", t.TempDir(), write(t, "x.jsonl", "{\n")}, "line 1"},
	} {
		if err := run(c.args); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.args, err, c.want)
		}
	}
}
