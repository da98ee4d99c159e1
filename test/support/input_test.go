package support

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/leatproc"
	"github.com/leatdev/leat/test/support/audit"
)

const (
	input     = "support.messages"
	customers = 997
	// maxChars is the limit of the class server in these tests: 189 of the 13,083
	// messages are longer and become dead letters of the step class.
	maxChars = 200
	// limit is what the topic takes (max_bytes in the pipeline file).
	limit = 4 << 20
)

// banking77 returns the texts of the data set, training file first.
func banking77(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("LEAT_DATA")
	if dir == "" {
		dir = filepath.Join(leatproc.Root(t), "..", "shared", "data")
	}
	var texts []string
	for _, name := range []string{"train.csv", "test.csv"} {
		f, err := os.Open(filepath.Join(dir, "banking77", name))
		if err != nil {
			leatproc.Missing(t, "the data set BANKING77 (LEAT_DATA/banking77)", err)
		}
		rows, err := csv.NewReader(f).ReadAll()
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			texts = append(texts, row[0])
		}
	}
	if len(texts) != 13083 {
		t.Fatalf("BANKING77 has 13,083 messages, here are %d", len(texts))
	}
	return texts
}

// some picks n texts from all over the set, which is sorted by subject.
func some(texts []string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = texts[i*len(texts)/n]
	}
	return out
}

// real makes the message number i of a text.
func real(i int, text string) audit.Sent {
	customer := fmt.Sprintf("c-%03d", i*7%customers)
	value, _ := json.Marshal(map[string]string{"id": fmt.Sprintf("m-%05d", i), "customer": customer, "text": text}) // strings always marshal
	s := audit.Sent{Record: record(fmt.Sprintf("m-%05d", i), []byte(customer), value)}
	if utf8.RuneCountInString(text) > maxChars {
		s.Lacks = []string{"class"}
	}
	return s
}

// record is a message with headers by which it can be followed, one of which is no
// text.
func record(id string, key, value []byte) *kgo.Record {
	return &kgo.Record{Topic: input, Key: key, Value: value, Headers: []kgo.RecordHeader{
		{Key: "test-id", Value: []byte(id)}, {Key: "traceparent", Value: []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")},
		{Key: "test-bytes", Value: []byte{0, 0xff, 0xfe}}, {Key: "test-empty", Value: []byte{}},
	}}
}

// What a message lacks that no model could read.
var nothing = []string{"mood", "class", "keywords", "help"}

// hostile are the messages that somebody gets wrong, each with what must become
// of it.
func hostile() []audit.Sent {
	var out []audit.Sent
	add := func(name string, value []byte, s audit.Sent) {
		s.Record = record("hostile: "+name, fmt.Append(nil, "c-", len(out)), value)
		out = append(out, s)
	}
	text := func(format string, args ...any) []byte { return fmt.Appendf(nil, format, args...) }
	nested := func(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }
	unread, bare, whole := audit.Sent{Withheld: true}, audit.Sent{Lacks: nothing}, audit.Sent{}

	add("not UTF-8", []byte("{\"text\":\"caf\xe9 \xff\xfe\"}"), unread)
	add("not JSON", text(`{"text":"no end`), unread)
	add("two values", text(`{"text":"one"} {"text":"two"}`), unread)
	add("empty", []byte{}, unread)
	add("deeper than anybody reads", text(`{"text":"where is my card?","deep":%s}`, nested(20_000)), unread)
	// A row is one level deeper than the message in it; 10,000 levels can be read.
	add("too deep for a row", text(`{"text":"where is my card?","deep":%s}`, nested(9_999)), unread)
	add("as deep as a row holds", text(`{"text":"where is my card?","deep":%s}`, nested(9_998)), whole)
	add("null", nil, whole)
	add("the JSON null", text(`null`), bare)
	add("a list", text(`[]`), bare)
	add("a string", text(`"str"`), bare)
	add("a number for a text", text(`{"text": 5}`), bare)
	add("an empty object", text(`{}`), bare)
	add("a text of 2 MB", text(`{"text":"%s"}`, strings.Repeat("my card is lost ", 2<<20/16)), bare)
	add("2 MB beside the text", text(`{"text":"where is my card?","attachment":"%s"}`, strings.Repeat("0123456789abcdef", 2<<20/16)), whole)
	add("double keys", text(`{"text":"first","text":"where is my card?","text":"the app is great"}`), whole)
	add("a huge whole number", text(`{"text":"where is my card?","n":123456789012345678901234567890}`), whole)
	add("a number beyond all", text(`{"text":"where is my card?","n":1e999}`), bare)
	add("half a surrogate", text(`{"text":"where \ud83d is my card?"}`), whole)
	add("control characters", text(`{"text":"where\u0000is\u001bmy card?"}`), whole)
	add("white space around", text(" \r\n\t{\"text\" : \"where is my card?\"}\n "), whole)
	add("an empty text", text(`{"text":""}`), whole)
	add("names of the pipeline's own", text(`{"text":"where is my card?","missing":{"mood":"x"},"amended":true,"mood":1}`), whole)

	noKey := audit.Sent{Record: record("hostile: no key", nil, text(`{"text":"where is my card?"}`))}
	emptyKey := audit.Sent{Record: record("hostile: empty key", []byte{}, text(`{"text":"where is my card?"}`))}
	badKey := audit.Sent{Record: record("hostile: a key that is no text", []byte{0xff, 0, 0xfe}, text(`{"text":"where is my card?"}`))}
	out = append(out, noKey, emptyKey, badKey)
	// Messages that were copied with the header of a result: one of the four names
	// the partition in which they are.
	for p := range 4 {
		other := record("hostile: another's root", []byte("c-001"), text(`{"text":"where is my card?"}`))
		other.Headers = append(other.Headers, kgo.RecordHeader{Key: "leat-root", Value: fmt.Appendf(nil, "%s/%d/0", input, p)})
		out = append(out, audit.Sent{Record: other})
	}
	return out
}

// tooLarge are messages over the topic's limit.
func tooLarge() []*kgo.Record {
	value := fmt.Appendf(nil, `{"text":"%s"}`, strings.Repeat("x", limit))
	return []*kgo.Record{record("too large: 1", []byte("c-001"), value), record("too large: 2", []byte("c-002"), value)}
}

// mixed puts the hostile messages among the first ones, evenly, so that the known
// places are the same in each run.
func mixed(messages []audit.Sent, among int) []audit.Sent {
	bad := hostile()
	every := among / (len(bad) + 1)
	var out []audit.Sent
	for i, m := range messages {
		if n := i / every; i%every == 0 && n > 0 && n <= len(bad) {
			out = append(out, bad[n-1])
		}
		out = append(out, m)
	}
	return out
}
