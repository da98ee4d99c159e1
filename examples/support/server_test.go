package support_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/leatdev/leat/examples/support"
)

func TestServers(t *testing.T) {
	t.Parallel()
	for model, path := range map[string]string{"mood": "/v2/health/ready", "class": ""} {
		ctx, stop := context.WithCancel(t.Context())
		urls, done := make(chan string, 1), make(chan error, 1)
		server := support.Server{Model: model, Listen: "127.0.0.1:0", MaxChars: 5, Ready: func(url string) { urls <- url }}
		go func() { done <- server.Run(ctx) }()
		url := ""
		select {
		case url = <-urls:
		case err := <-done:
			t.Fatalf("%s: %v", model, err)
		}
		want, get := 200, func() (*http.Response, error) { return http.Get(url + path) }
		if model == "class" {
			want, get = 422, func() (*http.Response, error) {
				return http.Post(url, "application/json", strings.NewReader(`{"text":"longer","tags":[]}`))
			}
		}
		response, err := get()
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: %d, want %d", model, response.StatusCode, want)
		}
		stop()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", model, err)
		}
	}
	var out bytes.Buffer
	tagger := support.Server{Model: "tagger", Stdin: strings.NewReader(`{"id":"1","value":{"text":"hi"}}`), Stdout: &out}
	if err := tagger.Run(t.Context()); err != nil || !strings.Contains(out.String(), `"tag"`) {
		t.Errorf("tagger: %s %v", out.String(), err)
	}
	for _, wrong := range []support.Server{{Model: "other"}, {Model: "class", MaxChars: -1}, {Model: "class", MaxChars: support.MaxChars + 1},
		{Model: "mood", Listen: "nowhere:x"}, {Model: "mood", Weights: t.TempDir()}} {
		if err := wrong.Run(t.Context()); err == nil {
			t.Errorf("%+v ran", wrong)
		}
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	row := map[string]any{
		"message":  map[string]any{"customer": "c-1001", "text": "My \"card\"\nis gone " + strings.Repeat("é", 90)},
		"mood":     map[string]any{"score": -0.456},
		"class":    map[string]any{"name": "help"},
		"keywords": map[string]any{"keywords": []any{map[string]any{"name": "card"}, map[string]any{"name": "app"}}},
		"help":     map[string]any{"checklists": []any{map[string]any{"title": "My card is lost"}, map[string]any{"title": "x"}}},
	}
	want := `c-1001   help        -0.46  "My \"card\"\nis gone ` + strings.Repeat("é", 41) + `…"  [card, app]  → My card is lost`
	if got := support.Line(row); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	partial := map[string]any{"message": row["message"], "missing": map[string]any{"class": "support.dlq/0/17"}, "mood": "odd", "help": nil}
	if got := support.Line(partial); !strings.HasSuffix(got, "missing map[class:support.dlq/0/17]") {
		t.Errorf("got %s", got)
	}
	if got := support.Line(nil); got == "" {
		t.Error("no row, no line")
	}
}
