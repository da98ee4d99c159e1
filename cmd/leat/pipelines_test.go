package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/flow"
)

const shop = `name: shop
topics: {orders: {format: json, partitions: 2}}
steps:
  big:  {from: orders, when: 'value.total > 100', to: orders.big}
  plus: {from: orders, output: '{total: value.total * 2}', to: orders.plus, dlq: shop.dlq}
`

// pipelineFile writes a pipeline and returns its path.
func pipelineFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheck(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good, bad := pipelineFile(t, shop), pipelineFile(t, strings.Replace(shop, "output:", "outptu:", 1))
	b.same(b.mustRun("check", good), "ok: 1 pipeline, 2 steps\n")

	r := b.run("check", bad)
	if r.code != 1 || r.out != "" {
		t.Errorf("exit %d, stdout %q", r.code, r.out)
	}
	b.contains(r.err, bad+":5:24: ")
	b.contains(r.err, "output")
	b.contains(r.err, "error: 1 mistake\n")

	var c checked
	r = b.run("check", bad, "-o", "json")
	b.decode(r.out, &c)
	if r.code != 1 || c.OK || len(c.Problems) != 1 || c.Problems[0].Line != 5 || c.Problems[0].Column != 24 {
		t.Errorf("exit %d, %+v", r.code, c)
	}
	if r := b.run("check", "nowhere.yaml"); r.code != 1 || !strings.Contains(r.err, "nowhere.yaml") {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
}

// Topics that exist and are not as declared are told where a cluster is named.
func TestCheckAgainstACluster(t *testing.T) {
	t.Parallel()
	b := setup(t, "other")
	b.mustRun("topic", "create", "orders", "-p", "3")
	file := pipelineFile(t, shop)
	r := b.run("check", file)
	if r.code != 0 || !strings.Contains(r.err, "orders") { // LEAT_BROKERS names it
		t.Errorf("exit %d, %s", r.code, r.err)
	}
	var c checked
	b.decode(b.mustRun("check", file, "--kafka", b.addr, "-o", "json"), &c)
	if !c.OK || len(c.Differences) != 1 || c.Differences[0].Topic != "orders" {
		t.Errorf("%+v", c)
	}
	if r := b.run("check", file, "--kafka", "127.0.0.1:1"); r.code != 1 || !strings.Contains(r.err, "nothing is listening") {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	kafka, _, stop := serve(t, t.TempDir())
	defer stop()
	b := &bench{t: t, addr: kafka}
	b.mustRun("topic", "create", "orders", "-p", "2")
	b.produce(&kgo.Record{Topic: "orders", Value: []byte("{}")}, &kgo.Record{Topic: "orders", Value: []byte("{}")})
	file := pipelineFile(t, shop)
	var plan flow.Plan
	b.decode(b.mustRun("explain", file, "-o", "json"), &plan)
	if len(plan.Steps) != 2 || plan.Steps[0].Backlog == nil || !plan.Steps[0].Backlog.New || plan.Steps[0].Backlog.Records != 2 {
		t.Errorf("%+v", plan)
	}
	b.contains(b.mustRun("explain", file), "new: would read 2 from earliest")
	b.same(b.mustRun("topic", "list"), "TOPIC   PARTITIONS  RECORDS\norders  2           2\n") // it changed nothing
	if r := b.run("explain", file, "--kafka", "127.0.0.1:1"); r.code != 1 || !strings.Contains(r.err, "`leat dev "+file+"`") {
		t.Errorf("a cluster that was named and is not there: exit %d, %s", r.code, r.err)
	}
}

func TestTry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	file := pipelineFile(t, shop)
	out := b.mustRun("try", file, "--step", "plus", "--value", `{"total": 4}`, "-k", "k", "-H", "h=v")
	b.contains(out, "to      orders.plus\nkey     k\n")
	b.contains(out, "header  h=v\n")
	b.contains(out, "value   {\"total\":8}\n")
	b.stdin = `{"total": 5}`
	var res struct {
		Topic string
		Value struct{ Total float64 }
	}
	b.decode(b.mustRun("try", file, "--step", "shop.plus", "--value", "-", "-o", "json"), &res)
	if res.Topic != "orders.plus" || res.Value.Total != 10 {
		t.Errorf("%+v", res)
	}
	b.contains(b.mustRun("try", file, "--step", "big", "--value", `{"total": 4}`), "passes it over")

	r := b.run("try", file, "--step", "plus", "--value", `{"total": "x"}`, "-o", "json")
	var failed tried
	b.decode(r.out, &failed)
	if r.code != 1 || failed.Class != "poison" || failed.DeadLetter != "shop.dlq" || failed.Error == "" {
		t.Errorf("exit %d, %s", r.code, r.out)
	}
	for args, code := range map[string]int{
		"--step plus": 2, "--step plus --value 1 --null": 2, "--step plus --value 1 -H x": 2,
		"--step none --value 1": 1, "--value 1": 1,
	} {
		if r := b.run(append([]string{"try", file}, strings.Fields(args)...)...); r.code != code || r.out != "" {
			t.Errorf("%s: exit %d, %s", args, r.code, r.err)
		}
	}
}

// The functions of the support desk are at hand in this program.
func TestTryAFunctionOfTheProgram(t *testing.T) {
	t.Parallel()
	b := setup(t)
	file := pipelineFile(t, `name: desk
topics: {in: {format: json}}
models: {mood: {protocol: go}}
steps:
  mood: {from: in, call: {model: mood}, to: out}
`)
	b.contains(b.mustRun("try", file, "--step", "mood", "--value", `{"text": "I love it, thank you!"}`), `"label":"positive"`)
}

func TestRun(t *testing.T) {
	t.Parallel()
	b := setup(t, "orders")
	b.produce(&kgo.Record{Topic: "orders", Key: []byte("a"), Value: []byte(`{"total":70}`)},
		&kgo.Record{Topic: "orders", Key: []byte("b"), Value: []byte(`{"total":200}`)},
		&kgo.Record{Topic: "orders", Key: []byte("c"), Value: []byte(`no JSON`)})
	log, ended, stop := start(t, "run", pipelineFile(t, shop), "--kafka", b.addr, "--http", ":0", "--log-format", "json")
	web, _ := log.until(t, ended, "HTTP is open")["addr"].(string)
	got := strings.Fields(b.mustRun("consume", "orders.plus", "-n", "2", "-f", "%k%v"))
	slices.Sort(got)
	b.same(strings.Join(got, " "), `a{"total":140} b{"total":400}`)
	b.same(b.mustRun("consume", "orders.big", "-n", "1", "-f", "%k %v"), "b {\"total\":200}\n")
	b.same(b.mustRun("consume", "shop.dlq", "-n", "1", "-f", "%k %v"), "c no JSON\n")
	b.contains(get(t, "http://"+web+"/readyz"), `{"ready":true,"checks":{"cluster":"ok","pipelines":"ok"}}`)
	b.contains(get(t, "http://"+web+"/metrics"), `leat_worker_in_total{consumergroup="shop.plus",topic="orders"} 3`)
	if code := stop(); code != 0 {
		t.Errorf("interrupted: exit %d", code)
	}
	b.contains(b.mustRun("group", "describe", "shop.plus"), "shop.plus  classic, Empty, 0 members, lag 0\n")
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	file := pipelineFile(t, shop)
	r := b.run("run", file, "--kafka", "127.0.0.1:1")
	b.same(r.err, "error: nothing is listening at 127.0.0.1:1: start a broker with `leat dev "+file+"`, or name another with -B HOST:PORT\n")
	if r.code != 1 {
		t.Errorf("exit %d", r.code)
	}
	// A model that this program does not have.
	r = b.run("run", pipelineFile(t, "name: x\ntopics: {in: {}}\nmodels: {m: {protocol: go}}\nsteps:\n  s: {from: in, call: {model: m}, to: out}\n"))
	if r.code != 1 || !strings.Contains(r.err, `no function is registered as "m"`) {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
}

// dev prints where it is; what was written is there at the next start.
func TestDev(t *testing.T) {
	t.Parallel()
	dir, file := t.TempDir(), pipelineFile(t, shop)
	run1 := func() (devAddresses, func() int) {
		ctx, cancel := context.WithCancel(context.Background())
		pr, pw := io.Pipe()
		ended := make(chan int, 1)
		b := &bench{t: t}
		var errs bytes.Buffer
		w := b.world(nil, &errs)
		w.Out = pw
		go func() {
			ended <- run(ctx, w, []string{"dev", file, "--data", dir, "--listen", "127.0.0.1:0", "--http", ":0", "-o", "json", "--log-level", "warn"})
			pw.Close()
		}()
		var d devAddresses
		if err := json.NewDecoder(pr).Decode(&d); err != nil {
			cancel()
			<-ended
			t.Fatalf("%v; stderr: %s", err, errs.String())
		}
		return d, func() int { cancel(); go func() { _, _ = io.Copy(io.Discard, pr) }(); return <-ended }
	}
	d, stop := run1()
	if d.Data != dir || !slices.Equal(d.Pipelines, []string{"shop"}) || d.HTTP == "" {
		t.Errorf("%+v", d)
	}
	b := &bench{t: t, addr: d.Kafka, stdin: "{\"total\": 1}\n{\"total\": 2}\n"}
	b.mustRun("produce", "orders", "-k", "k")
	b.same(b.mustRun("consume", "orders.plus", "-n", "2"), "{\"total\":2}\n{\"total\":4}\n")
	b.contains(get(t, d.HTTP+"/readyz"), `"pipelines":"ok"`)
	if code := stop(); code != 0 {
		t.Errorf("interrupted: exit %d", code)
	}

	d, stop = run1()
	b.addr = d.Kafka
	b.same(b.mustRun("consume", "orders.plus", "--to", "end"), "{\"total\":2}\n{\"total\":4}\n") // nothing came out twice
	if code := stop(); code != 0 {
		t.Errorf("interrupted: exit %d", code)
	}
}

func TestDevRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, args := range []string{"--listen 0.0.0.0:0", "--listen example.com:1", "--http 0.0.0.0:0", "-c listeners=PLAINTEXT://:0"} {
		r := b.run(append([]string{"dev", "--data", t.TempDir()}, strings.Fields(args)...)...)
		if r.code != 2 || !strings.Contains(r.err, "leat serve") {
			t.Errorf("%s: exit %d, %s", args, r.code, r.err)
		}
	}
}
