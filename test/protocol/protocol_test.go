package protocol

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/test/leatproc"
)

func TestMain(m *testing.M) { leatproc.Main(m) }

var rewrite = flag.Bool("rewrite", false, "write the tables of docs/protocol.md anew")

const page = "../../docs/protocol.md"

// docs/protocol.md has the tables as a running broker and the client suites have
// them. After a change of either: go test ./protocol -rewrite
func TestThePageIsTrue(t *testing.T) {
	keys, err := keysTable(advertised(t))
	if err != nil {
		t.Fatal(err)
	}
	programs, err := clientsTable()
	if err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(old)
	missing, err := absentTable()
	if err != nil {
		t.Fatal(err)
	}
	differs, err := differsTable()
	if err != nil {
		t.Fatal(err)
	}
	printed, err := toolsTable()
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string]string{"keys": keys, "absent": missing, "differs": differs, "rosters": rostersTable(), "clients": programs, "tools": printed}
	for _, s := range suites {
		want, err := s.expected()
		if err != nil {
			t.Fatal(err)
		}
		tables[s.table] = want.Table(s.name)
	}
	for name, table := range tables {
		begin, end := "<!-- table: "+name+" -->\n", "<!-- end of "+name+" -->\n"
		before, rest, ok1 := strings.Cut(text, begin)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok1 || !ok2 {
			t.Fatalf("%s has no place for the table %q: want the lines\n%s%s", page, name, begin, end)
		}
		text = before + begin + "\n" + table + "\n" + end + after
	}
	if text == string(old) {
		return
	}
	if !*rewrite {
		t.Fatalf("%s is not what the code says; go test ./protocol -rewrite writes it anew. It should be:\n%s", page, text)
	}
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// advertised is what a broker answers to ApiVersions in the newest version.
func advertised(t *testing.T) *kmsg.ApiVersionsResponse {
	t.Helper()
	s := leatproc.Serve(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Addr))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "leat-test", "1"
	resp, err := req.RequestWith(t.Context(), cl)
	if err != nil || resp.ErrorCode != 0 {
		t.Fatalf("ApiVersions: %v, code %d", err, resp.ErrorCode)
	}
	return resp
}

// Every key of the protocol is either served, or named as absent, or of no
// concern to clients; none is two of these.
func TestEveryKeyIsAccountedFor(t *testing.T) {
	seen := map[int16]string{}
	note := func(key int16, what string) {
		if was, twice := seen[key]; twice {
			t.Errorf("%s (%d) is %s and %s", kmsg.NameForKey(key), key, was, what)
		}
		seen[key] = what
	}
	for _, v := range kafka.Versions {
		note(v.Key, "served")
	}
	missing, err := absent()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range missing {
		for _, k := range a.keys {
			note(k, "absent")
		}
	}
	for _, k := range internal {
		note(k, "internal")
	}
	for key := range kmsg.MaxKey + 1 {
		if kmsg.NameForKey(int16(key)) != "Unknown" && seen[int16(key)] == "" {
			t.Errorf("%s (%d) is not accounted for: serve it, or say in test/divergence why not", kmsg.NameForKey(int16(key)), key)
		}
	}
}
