package modeltest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat/internal/models/modeltest"
)

// The protocol that docs/models.md shows is the one that passes the suite here.
func TestTheNewProtocolOfTheDocs(t *testing.T) {
	source, err := os.ReadFile("newprotocol_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, found := strings.Cut(string(source), "// socket is a model")
	if !found {
		t.Fatal("newprotocol_test.go has no socket")
	}
	shown = "// socket is a model" + shown
	if got := modeltest.CodeInDocs(t, "go", "type socket struct"); got != shown {
		t.Errorf("docs/models.md shows another protocol than newprotocol_test.go:\n%s", got)
	}
	if n := strings.Count(shown, "\n"); n > 50 {
		t.Errorf("the new protocol has %d lines; the docs say about 40", n)
	}
	modeltest.Run(t, func(t *testing.T) modeltest.Subject {
		b := listen(t)
		return modeltest.Subject{
			Model:     socket{b.addr, time.Minute},
			Impatient: socket{b.addr, 30 * time.Millisecond},
			Whole:     true, IDs: b.seen,
			Cannot: map[string]string{
				string(modeltest.Later): "this protocol has no way to ask for a wait",
				string(modeltest.Short): "an answer that never comes is the time limit's check",
			},
		}
	})
}

// backend is the honest server of that protocol.
type backend struct {
	addr string
	mu   sync.Mutex
	ids  []string
}

func listen(t *testing.T) *backend {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{addr: l.Addr().String()}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go b.serve(conn)
		}
	}()
	return b
}

func (b *backend) seen() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.ids)
}

func (b *backend) serve(conn net.Conn) {
	defer conn.Close()
	in, out := bufio.NewReader(conn), json.NewEncoder(conn)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var q struct {
			ID    string
			Value any
		}
		if json.Unmarshal(line, &q) != nil {
			return
		}
		b.mu.Lock()
		b.ids = append(b.ids, q.ID)
		b.mu.Unlock()
		text, _ := q.Value.(string)
		switch kind := modeltest.Read(text).Kind; kind {
		case modeltest.Poison, modeltest.Retriable, modeltest.Outage:
			_ = out.Encode(map[string]any{"id": q.ID, "error": "as ordered", "class": string(kind[1:])})
		case modeltest.Hang:
			_, _ = in.ReadBytes('\n') // the caller hangs up
			return
		case modeltest.Garbage:
			fmt.Fprintln(conn, "loading weights")
		case modeltest.Die:
			return
		case modeltest.Extra:
			_ = out.Encode(map[string]any{"id": "another", "result": "one more"})
			_ = out.Encode(map[string]any{"id": q.ID, "result": modeltest.AnswerTo(q.Value)})
		case modeltest.Null:
			_ = out.Encode(map[string]any{"id": q.ID, "result": nil})
		default:
			_ = out.Encode(map[string]any{"id": q.ID, "result": modeltest.AnswerTo(q.Value)})
		}
	}
}
