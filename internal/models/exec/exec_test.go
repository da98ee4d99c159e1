//go:build unix

package exec

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	osexec "os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/leatdev/leat/internal/models/modeltest"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

const secret = "exec-env-secret"

// TestMain lets the test binary be the child processes of its own tests.
func TestMain(m *testing.M) {
	switch role := os.Getenv("LEAT_TEST_CHILD"); role {
	case "":
		os.Exit(m.Run())
	case "suite":
		suiteChild()
	default:
		otherChild(role)
	}
}

type line struct {
	ID    string `json:"id"`
	Value any    `json:"value"`
}

// suiteChild does what the suite's texts say, and notes the ids it is sent.
func suiteChild() {
	ids, err := os.OpenFile(os.Getenv("LEAT_TEST_IDS"), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		panic(err)
	}
	out := bufio.NewWriter(os.Stdout)
	say := func(v map[string]any) {
		b, _ := json.Marshal(v)
		_, _ = out.Write(append(b, '\n'))
		_ = out.Flush()
	}
	for in := range readLines() {
		fmt.Fprintln(ids, in.ID)
		text, _ := in.Value.(string)
		v := in.Value
		refuse := func(class string) {
			say(map[string]any{"id": in.ID, "class": class, "error": "as ordered, " + os.Getenv("TOKEN")})
		}
		switch modeltest.Read(text).Kind {
		case modeltest.Poison:
			refuse("poison")
		case modeltest.Retriable:
			refuse("retriable")
		case modeltest.Outage:
			refuse("outage")
		case modeltest.Hang:
			select {}
		case modeltest.Die:
			fmt.Fprintln(os.Stderr, "dying with", os.Getenv("TOKEN"))
			os.Exit(3)
		case modeltest.Garbage:
			fmt.Fprintln(out, "loading weights with", os.Getenv("TOKEN"))
			_ = out.Flush()
		case modeltest.Extra:
			say(map[string]any{"id": "another", "result": "one more"})
			say(map[string]any{"id": in.ID, "result": modeltest.AnswerTo(text)})
		case modeltest.Null:
			say(map[string]any{"id": in.ID, "result": nil})
		default:
			say(map[string]any{"id": in.ID, "result": modeltest.AnswerTo(v)})
		}
	}
}

// readLines hands the lines of standard input on until it ends.
var readLines = sync.OnceValue(func() chan line {
	lines := make(chan line)
	go func() {
		defer close(lines)
		in := bufio.NewReaderSize(os.Stdin, 1<<20)
		for {
			raw, err := in.ReadBytes('\n')
			if err != nil {
				return
			}
			var l line
			if json.Unmarshal(raw, &l) == nil {
				lines <- l
			}
		}
	}()
	return lines
})

// otherChild are the children of single tests.
func otherChild(role string) {
	answer := func(l line) {
		fmt.Printf(`{"id":%q,"result":{"pid":%d}}`+"\n", l.ID, os.Getpid())
	}
	switch role {
	case "fails to load": // never reads
		fmt.Fprintln(os.Stderr, "ImportError: no module named torch")
		os.Exit(2)
	case "pid":
		for l := range readLines() {
			answer(l)
		}
	case "one answer":
		answer(<-readLines())
	case "leaves the second": // answers a line, and ends when the next one is there, unread
		var raw []byte
		for b := make([]byte, 1); b[0] != '\n'; raw = append(raw, b[0]) {
			_, _ = os.Stdin.Read(b)
		}
		var l line
		_ = json.Unmarshal(raw, &l)
		answer(l)
		_, _ = unix.Poll([]unix.PollFd{{Fd: 0, Events: unix.POLLIN}}, -1)
		os.Exit(4)
	case "stubborn": // heeds neither the end of its input nor SIGTERM
		signal.Ignore(syscall.SIGTERM)
		for l := range readLines() {
			answer(l)
		}
		select {}
	case "terminated": // heeds SIGTERM only
		for l := range readLines() {
			answer(l)
		}
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM)
		<-term
		fmt.Fprintln(os.Stderr, "leaving by SIGTERM")
	case "grandchild": // leaves a process behind that holds its pipes
		cmd := osexec.Command("sleep", "1000")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Start(); err != nil {
			panic(err)
		}
		l := <-readLines()
		fmt.Printf(`{"id":%q,"result":{"pid":%d}}`+"\n", l.ID, cmd.Process.Pid)
	case "unasked": // an answer, and another line with it
		for l := range readLines() {
			answer(l)
			fmt.Println(`{"id":"unasked","result":1}`)
		}
	case "literal": // answers with the record's value as the line
		for l := range readLines() {
			fmt.Println(l.Value)
		}
	case "stderr":
		l := <-readLines()
		fmt.Fprintf(os.Stderr, "warming up\n\nwith key %s\n%s\nlast words", os.Getenv("TOKEN"), strings.Repeat("y", 20<<10))
		answer(l)
		<-readLines()
	case "dir":
		dir, _ := os.Getwd()
		l := <-readLines()
		fmt.Printf(`{"id":%q,"result":%q}`+"\n", l.ID, dir)
	case "parent": // runs a model of its own until it is killed
		m, err := New(config("stubborn"))
		if err != nil {
			panic(err)
		}
		results, err := m.Predict(context.Background(), []pipeline.Input{{ID: "x"}})
		if err != nil {
			panic(err)
		}
		fmt.Println(results[0].Value.(map[string]any)["pid"])
		select {}
	}
}

func config(role string) Config {
	return Config{
		Name: "child", Command: []string{os.Args[0]}, Env: map[string]string{"LEAT_TEST_CHILD": role, "TOKEN": secret,
			"GORACE": "atexit_sleep_ms=0"}, // a child built for the race detector need not wait for its last words
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Backoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond,
	}
}

func newModel(t *testing.T, cfg Config) *model {
	t.Helper()
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m.(*model)
}

// ask sends one record and returns its result and the error, of either kind.
func ask(t *testing.T, m pipeline.Model, id string, value any) (any, error) {
	t.Helper()
	results, err := m.Predict(t.Context(), []pipeline.Input{{ID: id, Value: value}})
	if err != nil {
		return nil, err
	}
	return results[0].Value, results[0].Err
}

func pidOf(t *testing.T, v any, err error) int {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return int(v.(map[string]any)["pid"].(float64))
}

// gone reports whether no process has this id; a zombie still has it.
func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func wantClass(t *testing.T, err error, class worker.Class, parts ...string) {
	t.Helper()
	if worker.ClassOf(err) != class {
		t.Fatalf("error %v is of class %s, want %s", err, worker.ClassOf(err), class)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}

// log collects what a model logs.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// pids are those of the children that the model has started.
func (l *log) pids(t *testing.T) (pids []int) {
	for _, m := range regexp.MustCompile(`model process started.* pid=(\d+)`).FindAllStringSubmatch(l.String(), -1) {
		pids = append(pids, atoi(t, m[1]))
	}
	return pids
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
