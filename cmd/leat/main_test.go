package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/server"
)

// bench is one broker and the ways to call commands on it.
type bench struct {
	t     *testing.T
	addr  string
	node  string // the broker's id; the tests' texts say @
	env   map[string]string
	stdin string
}

// setup starts a broker for one test; topics have two partitions. It is kfake,
// which is not ours; with LEAT_TEST_BROKER=leat in the environment it is Leat's
// own, and the commands must not be able to tell.
func setup(t *testing.T, topics ...string) *bench {
	t.Helper()
	if os.Getenv("LEAT_TEST_BROKER") == "leat" {
		return setupLeat(t, topics...)
	}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, topics...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &bench{t: t, addr: c.ListenAddrs()[0], node: "0", env: map[string]string{}}
}

func setupLeat(t *testing.T, topics ...string) *bench {
	t.Helper()
	s, err := server.Start(t.Context(), server.Config{Listen: "127.0.0.1:0", Configs: map[string]string{rebalanceDelay: "0"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	b := &bench{t: t, addr: s.Addr(), node: "1", env: map[string]string{}}
	if len(topics) > 0 {
		b.mustRun(append([]string{"topic", "create", "-p", "2"}, topics...)...)
	}
	return b
}

// result is what a command left behind.
type result struct {
	out, err string
	code     int
}

// run calls the program; LEAT_BROKERS points at the test's broker.
func (b *bench) run(args ...string) result {
	b.t.Helper()
	return b.runContext(b.t.Context(), args...)
}

func (b *bench) runContext(ctx context.Context, args ...string) result {
	var out, errs bytes.Buffer
	code := run(ctx, b.world(&out, &errs), args)
	return result{out.String(), errs.String(), code}
}

func (b *bench) world(out, errs *bytes.Buffer) cli.World {
	return cli.World{In: strings.NewReader(b.stdin), Out: out, Err: errs, Getenv: func(k string) string {
		if v, ok := b.env[k]; ok {
			return v
		}
		if k == "LEAT_BROKERS" {
			return b.addr
		}
		return ""
	}}
}

// mustRun is run of a command that has to succeed; it returns stdout.
func (b *bench) mustRun(args ...string) string {
	b.t.Helper()
	r := b.run(args...)
	if r.code != 0 {
		b.t.Fatalf("leat %s: exit %d, %s", strings.Join(args, " "), r.code, r.err)
	}
	return r.out
}

// decode reads stdout as one JSON document.
func (b *bench) decode(out string, v any) {
	b.t.Helper()
	if err := json.Unmarshal([]byte(out), v); err != nil {
		b.t.Fatalf("not JSON: %v\n%s", err, out)
	}
}

// client is a plain client of the test's broker.
func (b *bench) client(opts ...kgo.Opt) *kgo.Client {
	b.t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.addr))...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(cl.Close)
	return cl
}

// produce writes records as they are, each to its Partition.
func (b *bench) produce(records ...*kgo.Record) {
	b.t.Helper()
	cl := b.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := cl.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

// same compares texts; @ in want is the broker's id (and the leader epoch of a
// new partition, which happens to be the same number on both brokers).
func (b *bench) same(got, want string) {
	b.t.Helper()
	if b.node != "" {
		want = strings.ReplaceAll(want, "@", b.node)
	}
	if got != want {
		b.t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

var uuid = regexp.MustCompile(`[A-Za-z0-9+/_-]{22}(==)?|[0-9a-f-]{36}`)

// masked hides topic ids, which are random.
func masked(s string) string { return uuid.ReplaceAllString(s, "ID") }

func (b *bench) contains(s, part string) {
	b.t.Helper()
	if !strings.Contains(s, part) {
		b.t.Errorf("%q does not contain %q", s, part)
	}
}

// Every command that does something has an example, a short text, and takes -o.
func TestEveryCommandHasAnExample(t *testing.T) {
	t.Parallel()
	a := &app{World: cli.World{}}
	root := a.root()
	root.InitDefaultCompletionCmd()
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		own := c.Name() != "completion" && !strings.Contains(c.CommandPath(), " completion ")
		if own && (c.Example == "" || c.Short == "") {
			t.Errorf("%s lacks an example or a short text", c.CommandPath())
		}
		if own && !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("the example of %s does not call it", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
}

// What is called wrongly exits with 2, says what was wrong on stderr, and
// leaves stdout empty.
func TestUsageErrors(t *testing.T) {
	t.Parallel()
	b := setup(t, "in")
	for _, c := range []struct{ args, want string }{
		{"frobnicate", `unknown command "frobnicate"`},
		{"topic lst", `did you mean list`},
		{"topic list --nope", "unknown flag: --nope"},
		{"topic create", "arguments are missing: it is `leat topic create TOPIC...`"},
		{"topic list a b", "these arguments do not fit: it is `leat topic list [PREFIX]`"},
		{"topic list -o xml", "-o xml: want one of text, wide, json, yaml"},
		{"topic create x -c retention.ms", `config "retention.ms": want NAME=VALUE`},
		{"topic add-partitions in", "either -n (more) or --total"},
		{"topic trim-prefix in", "--to is needed"},
		{"topic trim-prefix in --to soon", `offset "soon": want start, end`},
		{"topic delete in", "repeat with --yes"},
		{"topic config set in", "nothing to change"},
		{"topic list -B kafka://x", "want host:port"},
	} {
		r := b.run(strings.Fields(c.args)...)
		if r.code != 2 || r.out != "" {
			t.Errorf("leat %s: exit %d, stdout %q", c.args, r.code, r.out)
		}
		b.contains(r.err, c.want)
		b.contains(r.err, "--help`.")
	}
}

func TestNothingListening(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.run("topic", "list", "-B", "127.0.0.1:1", "-o", "json")
	if r.code != 1 || r.out != "" {
		t.Errorf("exit %d, stdout %q", r.code, r.out)
	}
	b.same(r.err, "error: nothing is listening at 127.0.0.1:1: start a broker with `leat dev`, or name another with -B HOST:PORT\n")
}

// The order is flag, environment, default.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	b := setup(t, "in")
	b.env["LEAT_OUTPUT"] = "json"
	var lines []topicLine
	b.decode(b.mustRun("topic", "list"), &lines)
	if out := b.mustRun("topic", "list", "-o", "text"); !strings.HasPrefix(out, "TOPIC ") {
		t.Errorf("the flag does not win over LEAT_OUTPUT: %q", out)
	}
	b.env["LEAT_OUTPUT"] = "xml"
	if r := b.run("topic", "list"); r.code != 2 {
		t.Errorf("a wrong LEAT_OUTPUT exits with %d", r.code)
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		b.contains(b.mustRun("completion", shell), "leat")
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var v build
	b.decode(b.mustRun("version", "-o", "json"), &v)
	if v.Version == "" || !strings.HasPrefix(v.Go, "go1.") || v.OS == "" || v.Arch == "" {
		t.Errorf("%+v", v)
	}
	b.contains(b.mustRun("version"), "leat "+v.Version+" go1.")
}
