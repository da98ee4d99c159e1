package clients

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/test/leatproc"
)

// throttled is how many waits for a quota a server has imposed, by its metrics.
func throttled(t *testing.T, web, quota string) (waits int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+web+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if value, ok := strings.CutPrefix(line, fmt.Sprintf("leat_quota_throttles_total{quota=%q} ", quota)); ok {
			fmt.Sscan(value, &waits)
		}
	}
	return waits
}

// A client that is told to wait, and is not heard meanwhile, loses nothing and sends
// nothing twice; nor does it after a kill -9, which no quota minds.
func TestQuotas(t *testing.T) {
	t.Parallel()
	// Clients of three families. A record is more than the three seconds' worth that the
	// window can span at most: however slow a client is, it has to wait.
	const rate, size = 50_000, 160_000
	families := []string{"kcat", "java", "kafka-python-newest"}
	each(t, func(c Client) bool { return slices.Contains(families, c.Name) }, func(t *testing.T, c Client) {
		web := leatproc.FreeAddr(t)
		s := leatproc.Serve(t, "--http", web, "-c", "quota.window.num=2")
		a := admin(t, s)
		createTopic(t, a, 1, "t")
		entity := kadm.ClientQuotaEntity{{Type: "user"}}
		answers, err := a.AlterClientQuotas(t.Context(), []kadm.AlterClientQuotaEntry{{Entity: entity, Ops: []kadm.AlterClientQuotaOp{
			{Key: "producer_byte_rate", Value: rate}, {Key: "consumer_byte_rate", Value: rate},
		}}})
		if err != nil || len(answers) != 1 || answers[0].Err != nil {
			t.Fatal(answers, err)
		}
		send := func(key string) {
			t.Helper()
			if got := c.sendAll(t, s, "t", "none", []record{{key: []byte(key), value: bytes.Repeat([]byte("x"), size)}}); got != 1 {
				t.Fatalf("%d records acknowledged of 1", got)
			}
			if throttled(t, web, "producer_byte_rate") == 0 {
				t.Errorf("who sent %s was not told to wait", key)
			}
		}
		send("0")
		s.Kill()
		if err := s.Wait(10 * time.Second); err == nil {
			t.Error("kill -9 ended well")
		}
		s.Start(t)
		send("1")
		if o, err := a.ListEndOffsets(t.Context(), "t"); err != nil || o["t"][0].Offset != 2 {
			t.Errorf("the topic ends at %v (%v), want 2", o["t"], err)
		}
		m := c.consume(t, s, "g", classic, uncommitted, "t")
		var read []string
		m.read(t, 2, func(r record) { read = append(read, string(r.key)) })
		if !slices.Equal(read, []string{"0", "1"}) {
			t.Errorf("read %v", read)
		}
		m.leave(t)
		if throttled(t, web, "consumer_byte_rate") == 0 {
			t.Error("reading did not wait")
		}
	})
}
