package jsonvalue

import (
	"math"
	"reflect"
	"testing"

	"github.com/leatdev/leat/worker"
)

func TestEncode(t *testing.T) {
	for want, v := range map[string]any{
		`null`:               nil,
		`"<é>&\n"`:           "<é>&\n",
		`{"a":[1,true,"x"]}`: map[string]any{"a": []any{1.0, true, "x"}},
		`"AP8="`:             []byte{0, 255},
	} {
		got, err := Encode(v)
		if err != nil || string(got) != want {
			t.Errorf("Encode(%v) = %s, %v; want %s", v, got, err, want)
		}
	}
}

func TestWhatJSONCannotSayIsPoison(t *testing.T) {
	for _, v := range []any{"a\xff", []any{"a\xff"}, map[string]any{"k": "a\xff"}, map[string]any{"\xff": 1.0}, math.NaN(), math.Inf(1), make(chan int)} {
		if got, err := Encode(v); worker.ClassOf(err) != worker.Poison {
			t.Errorf("Encode(%v) = %s, %v; want a poison error", v, got, err)
		}
	}
}

func TestDecodeTakesExactlyOneValue(t *testing.T) {
	for _, bad := range []string{"", "{", "1 2", "NaN", "\"\xff\"", "<html>"} {
		if v, err := Decode([]byte(bad)); err == nil {
			t.Errorf("Decode(%q) = %v", bad, v)
		}
	}
	if v, err := Decode([]byte(` {"a":[null,1e3]} `)); err != nil || !reflect.DeepEqual(v, map[string]any{"a": []any{nil, 1000.0}}) {
		t.Errorf("Decode = %v, %v", v, err)
	}
}

func TestPlainTurnsGoValuesIntoJSONKinds(t *testing.T) {
	type tag struct {
		Word string   `json:"word"`
		At   int      `json:"at"`
		More []string `json:"more"`
	}
	got, err := Plain(map[string]any{"tags": []any{tag{Word: "oak", At: 2, More: []string{"x"}}}})
	want := map[string]any{"tags": []any{map[string]any{"word": "oak", "at": 2.0, "more": []any{"x"}}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Plain = %#v, %v", got, err)
	}
	if got, err := Plain([]byte{1}); err != nil || !reflect.DeepEqual(got, []byte{1}) {
		t.Errorf("Plain(bytes) = %#v, %v", got, err)
	}
	if _, err := Plain(func() {}); worker.ClassOf(err) != worker.Poison {
		t.Errorf("Plain(func) = %v, want a poison error", err)
	}
}
