package event

import (
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func headers(kv ...string) []kgo.RecordHeader {
	var hs []kgo.RecordHeader
	for i := 0; i < len(kv); i += 2 {
		hs = append(hs, kgo.RecordHeader{Key: kv[i], Value: []byte(kv[i+1])})
	}
	return hs
}

func record(value string, kv ...string) *kgo.Record {
	return &kgo.Record{Topic: "a.b", Partition: 3, Offset: 42, Value: []byte(value), Headers: headers(kv...)}
}

// Kafka protocol binding 1.0.2, §3.1: content-type decides for structured, whatever
// its case; else ce_specversion makes it binary.
func TestMode(t *testing.T) {
	for _, c := range []struct {
		hs   []string
		want Mode
	}{
		{nil, NotCloudEvent},
		{[]string{"content-type", "application/json"}, NotCloudEvent},
		{[]string{"ce_id", "1"}, NotCloudEvent},
		{[]string{"ce_specversion", "1.0", "content-type", "application/json"}, Binary},
		{[]string{"content-type", "application/cloudevents+json; charset=UTF-8"}, Structured},
		{[]string{"Content-Type", "Application/CloudEvents+JSON"}, Structured},
		{[]string{"ce_specversion", "1.0", "content-type", "application/cloudevents+json"}, Structured},
	} {
		if got := ModeOf(record("", c.hs...)); got != c.want {
			t.Errorf("%q: mode %d, want %d", c.hs, got, c.want)
		}
	}
}

func TestParse(t *testing.T) {
	want := map[string]string{"specversion": "1.0", "id": "e-1", "source": "/shop", "type": "order.placed", "datacontenttype": "application/json", "priority": "5"}
	binary := record(`{"n":1}`, "ce_specversion", "1.0", "ce_id", "e-1", "ce_source", "/shop", "ce_type", "order.placed", "ce_priority", "5", "content-type", "application/json", "other", "x")
	structured := record(`{"specversion":"1.0","id":"e-1","source":"/shop","type":"order.placed","priority":5,"datacontenttype":"application/json","data":{"n":1}}`, "content-type", "application/cloudevents+json")
	for name, r := range map[string]*kgo.Record{"binary": binary, "structured": structured} {
		ce, err := Parse(r)
		if err != nil || !reflect.DeepEqual(ce.Attributes, want) || string(ce.Data) != `{"n":1}` {
			t.Errorf("%s: %v %q %v", name, ce.Attributes, ce.Data, err)
		}
		back := &kgo.Record{}
		ce.WriteBinary(back)
		if again, err := Parse(back); err != nil || !reflect.DeepEqual(again, ce) {
			t.Errorf("%s: written and read again: %v, %v", name, again, err)
		}
	}
	for says, r := range map[string]*kgo.Record{
		"neither":                  record("{}"),
		`"type" is missing`:        record("", "ce_specversion", "1.0", "ce_id", "1", "ce_source", "/"),
		"not a JSON object":        record("[1]", "content-type", "application/cloudevents+json"),
		"does not allow batches":   record("[]", "content-type", "application/cloudevents-batch+json"),
		"only the JSON event form": record("", "content-type", "application/cloudevents+avro"),
		"data_base64":              record(`{"data_base64":"%"}`, "content-type", "application/cloudevents+json"),
	} {
		if _, err := Parse(r); err == nil || !strings.Contains(err.Error(), strings.TrimSuffix(says, " is missing")) {
			t.Errorf("%q: error %v", says, err)
		}
	}
	null := record("", "ce_specversion", "1.0", "ce_id", "1", "ce_source", "/", "ce_type", "t")
	null.Value = nil
	if ce, err := Parse(null); err != nil || ce.Data != nil {
		t.Errorf("a tombstone: %v %v", ce, err)
	}
	if ce, err := Parse(record(`{"specversion":"1.0","id":"1","source":"/","type":"t","data_base64":"AQI="}`, "content-type", "application/cloudevents+json")); err != nil || string(ce.Data) != "\x01\x02" {
		t.Errorf("base64: %q %v", ce.Data, err)
	}
}

func TestIdentify(t *testing.T) {
	at := func(id, root string) Identity { return Identity{id, root, "a.b", 3, 42} }
	for _, c := range []struct {
		name string
		r    *kgo.Record
		want Identity
	}{
		{"plain", record("x"), at("a.b/3/42", "a.b/3/42")},
		{"binary", record("x", "ce_specversion", "1.0", "ce_id", "e-1"), at("e-1", "e-1")},
		{"structured", record(`{"id":"e-2"}`, "content-type", "application/cloudevents+json"), at("e-2", "e-2")},
		{"structured, not JSON", record(`"id`, "content-type", "application/cloudevents+json"), at("a.b/3/42", "a.b/3/42")},
		{"a result", record("x", "ce_id", "e-1", HeaderEventID, "d-1", HeaderCorrelationID, "e-1"), at("d-1", "e-1")},
		{"empty id", record("x", "ce_id", ""), at("a.b/3/42", "a.b/3/42")},
		{"oversize id", record("x", "ce_id", strings.Repeat("e", maxID+1)), at("a.b/3/42", "a.b/3/42")},
		{"not text", record("x", HeaderEventID, "\xff"), at("a.b/3/42", "a.b/3/42")},
		{"redriven", record("x", HeaderOrigin, "orders/1/7"), Identity{"orders/1/7", "orders/1/7", "orders", 1, 7}},
		{"redriven, with an id", record("x", HeaderOrigin, "orders/1/7", "ce_id", "e-1"), Identity{"e-1", "e-1", "orders", 1, 7}},
		{"origin that makes no sense", record("x", HeaderOrigin, "orders/-1/7"), at("a.b/3/42", "a.b/3/42")},
	} {
		if got := Identify(c.r); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// The derived id is a version 5 UUID whose value others can recompute (Python:
// uuid5(uuid5(NAMESPACE_DNS, "leat.dev"), "e-1\0support.mood")).
func TestDerivedID(t *testing.T) {
	if got, want := DerivedID("e-1", "support.mood"), "601646fa-78f2-50b3-b1d7-8a42522152ad"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	ids := map[string]bool{DerivedID("e-1", "support.mood"): true, DerivedID("e-1", "support.mood", "0"): true, DerivedID("e-1", "support.class"): true, DerivedID("e-2", "support.mood"): true}
	if len(ids) != 4 {
		t.Errorf("%d different ids of 4", len(ids))
	}
}

func TestDerive(t *testing.T) {
	in := record("x", "traceparent", "00-aa", "ce_specversion", "1.0", "ce_id", "e-1", "ce_type", "t", "mine", "1", "mine", "2", HeaderOrigin, "o/0/1", "leat.dlq.redrive-count", "1")
	by := Maker{Pipeline: "support", Step: "mood", Model: "sentiment", ModelVersion: "3"}
	id := DerivedID("e-1", "support.mood")
	want := headers("traceparent", "00-aa", "ce_specversion", "1.0", "ce_id", id, "ce_type", "t", "mine", "1", "mine", "2",
		HeaderEventID, id, HeaderCorrelationID, "e-1", HeaderPipeline, "support", HeaderStep, "mood", HeaderModel, "sentiment", HeaderModelVersion, "3")
	got := Derive(in, Identify(in), by)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// A second step: the root stays, the id tells inputs of one root apart.
	next := &kgo.Record{Topic: "mood", Headers: got}
	nid := Identify(next)
	if nid.ID != id || nid.Root != "e-1" {
		t.Errorf("the result is %+v", nid)
	}
	hs := Derive(next, nid, Maker{Step: "urgent"})
	if v, _ := Header(hs, HeaderEventID); string(v) != DerivedID("e-1", "urgent", id) {
		t.Errorf("second id %s", v)
	}
	if v, _ := Header(hs, HeaderCorrelationID); string(v) != "e-1" {
		t.Errorf("second root %s", v)
	}
	if _, ok := Header(hs, HeaderModel); ok {
		t.Error("the first step's model is still named")
	}
	// Structured in, binary out.
	s := record(`{"specversion":"1.0","id":"e-9","source":"/s","type":"t","datacontenttype":"text/plain","data":1}`, "content-type", "application/cloudevents+json")
	out := &kgo.Record{Headers: Derive(s, Identify(s), by), Value: []byte("y")}
	ce, err := Parse(out)
	if err != nil || ModeOf(out) != Binary || ce.Attributes["source"] != "/s" || ce.Attributes["id"] != DerivedID("e-9", "support.mood") {
		t.Errorf("%v %v", ce, err)
	}
}

func TestPassTrace(t *testing.T) {
	const tp = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	from := headers("traceparent", tp, "tracestate", "a=b", "other", "x")
	if got := PassTrace(from, headers("k", "v")); !reflect.DeepEqual(got, headers("k", "v", "traceparent", tp, "tracestate", "a=b")) {
		t.Errorf("%s", got)
	}
	own := headers("traceparent", "00-11111111111111111111111111111111-2222222222222222-00")
	if got := PassTrace(from, own); !reflect.DeepEqual(got, own) {
		t.Errorf("a creation context was changed: %s", got)
	}
	// Trace Context 1.0 §3.2.2.
	for s, want := range map[string]bool{
		tp: true, tp + "-x": false, "01" + tp[2:] + "-x": true, "ff" + tp[2:]: false, strings.ToUpper(tp): false,
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01": false, "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01": false, "": false,
	} {
		if ValidTraceparent(s) != want {
			t.Errorf("%q: want %v", s, want)
		}
		if !want {
			if got := PassTrace(headers("traceparent", s), nil); len(got) != 0 {
				t.Errorf("%q was passed on", s)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("application/cloudevents+json", []byte(`{"specversion":"1.0","id":"1","source":"/","type":"t","data_base64":"AQ=="}`), "e")
	f.Add("", []byte(nil), "")
	f.Fuzz(func(t *testing.T, ct string, value []byte, id string) {
		r := &kgo.Record{Topic: "t", Value: value, Headers: headers("content-type", ct, "ce_specversion", "1.0", "ce_id", id, "ce_source", "s", "ce_type", "t")}
		ce, err := Parse(r)
		if err != nil {
			return
		}
		back := &kgo.Record{}
		ce.WriteBinary(back)
		// A datacontenttype that is itself a CloudEvents type reads as structured.
		if ModeOf(back) != Binary {
			return
		}
		again, err := Parse(back)
		if err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		if string(again.Data) != string(ce.Data) || again.Attributes["id"] != ce.Attributes["id"] {
			t.Fatalf("%v became %v", ce, again)
		}
	})
}

func FuzzIdentify(f *testing.F) {
	f.Add("orders/1/7", "d", "r", []byte("{}"))
	f.Fuzz(func(t *testing.T, origin, id, root string, value []byte) {
		r := &kgo.Record{Topic: "t", Offset: 1, Value: value, Headers: headers(HeaderOrigin, origin, HeaderEventID, id, HeaderCorrelationID, root, "content-type", "application/cloudevents+json")}
		a := Identify(r)
		if a != Identify(r) || a.ID == "" || a.Root == "" || len(a.ID) > maxID && a.ID != a.Position() {
			t.Fatalf("%+v", a)
		}
		if topic, p, o, ok := ParsePosition(a.Position()); !ok || topic != a.Topic || p != a.Partition || o != a.Offset {
			t.Fatalf("%q does not parse", a.Position())
		}
	})
}
