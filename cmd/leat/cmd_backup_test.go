package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/gateway"
)

// A server backs itself up while a client produces; what was acknowledged before is
// in the backup, what a restore brings back is served, and it is a prefix of what
// the original became.
func TestBackupOfARunningServer(t *testing.T) {
	t.Parallel()
	dir, backups := t.TempDir(), t.TempDir()
	kafka, web, stop := serve(t, dir, "--backup-dir", backups, "-c", "num.partitions=1")
	b := &bench{t: t, addr: kafka, stdin: "first\n"}
	b.mustRun("produce", "in")
	cl := b.client(kgo.DefaultProduceTopic("in"))
	var acked, before int
	enough, quit := make(chan bool), make(chan bool)
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-quit:
				acked = n
				return
			default:
			}
			if err := cl.ProduceSync(t.Context(), kgo.StringRecord(fmt.Sprint(n))).FirstErr(); err != nil {
				t.Error(err)
				return
			}
			if n == 200 {
				close(enough)
			}
		}
	})
	<-enough
	before = 201
	var made gateway.Backup
	b.decode(b.mustRun("backup", "--server", web, "monday", "-o", "json"), &made)
	close(quit)
	wg.Wait()
	if made.Dir != filepath.Join(backups, "monday") || made.Records < int64(before) || len(made.Damaged) != 0 {
		t.Errorf("%+v", made)
	}
	if r := b.run("backup", "--server", web, "monday"); r.code != 1 || !strings.Contains(r.err, "choose another name") {
		t.Errorf("a second of that name: exit %d, %s", r.code, r.err)
	}
	for _, name := range []string{"..", "a/b", ""} {
		if r := b.run("backup", "--server", web, name); r.code != 1 || !strings.Contains(r.err, "without a path") {
			t.Errorf("%q: exit %d, %s", name, r.code, r.err)
		}
	}
	// What a page of another site can send is not enough.
	resp, err := http.Post("http://"+web+"/v1/backups", "text/plain", strings.NewReader(`{"to":"x"}`))
	if err != nil || resp.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("%v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
	all := b.mustRun("consume", "in", "--to", "end")
	if strings.Count(all, "\n") != acked {
		t.Errorf("%d records of %d", strings.Count(all, "\n"), acked)
	}
	if code := stop(); code != 0 {
		t.Fatal(code)
	}

	b = &bench{t: t}
	// A backup is not served, and not taken for a data directory.
	for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0", "--data", made.Dir}, {"doctor", made.Dir}} {
		if r := b.run(args...); r.code != 1 || !strings.Contains(r.err, "leat restore") {
			t.Errorf("%v: exit %d, %s", args, r.code, r.err)
		}
	}
	if r := b.run("restore", made.Dir, dir); r.code != 1 || !strings.Contains(r.err, "is not empty") {
		t.Errorf("into a directory in use: exit %d, %s", r.code, r.err)
	}
	again := filepath.Join(t.TempDir(), "restored")
	var back restored
	b.decode(b.mustRun("restore", made.Dir, again, "-o", "json"), &back)
	if back.Records != made.Records || back.LeaderEpoch < 1<<20 {
		t.Errorf("%+v", back)
	}
	kafka, _, stop = serve(t, again)
	b.addr = kafka
	got := b.mustRun("consume", "in", "--to", "end")
	if n := strings.Count(got, "\n"); n < before || !strings.HasPrefix(all, got) {
		t.Errorf("%d records came back, at least %d were acknowledged before", n, before)
	}
	if code := stop(); code != 0 {
		t.Fatal(code)
	}
	if out := b.mustRun("doctor", again, "--verify"); !strings.Contains(out, "stopped properly") {
		t.Error(out)
	}
}

// Without a directory for them a server makes no backups; a directory that no server
// runs on is backed up as it is.
func TestBackupOfADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kafka, web, stop := serve(t, dir)
	b := &bench{t: t, addr: kafka, stdin: "one\ntwo\n"}
	b.mustRun("produce", "in")
	if r := b.run("backup", "--server", web, "x"); r.code != 1 || !strings.Contains(r.err, "--backup-dir") {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
	stop()
	to := filepath.Join(t.TempDir(), "b")
	b.contains(b.mustRun("backup", dir, to), to+": ")
	if r := b.run("backup", dir, to); r.code != 1 || !strings.Contains(r.err, "choose another name") {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
	// A byte of the backup changes: nothing is made of it that a server would start on.
	name := segmentOf(t, to, "in")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-3] ^= 8
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	back := filepath.Join(t.TempDir(), "back")
	if r := b.run("restore", to, back); r.code != 1 || !strings.Contains(r.err, "CRC") {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
	if r := b.run("serve", "--listen", "127.0.0.1:0", "--data", back); r.code != 1 || !strings.Contains(r.err, "run `leat restore` into it again") {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
	data[len(data)-3] ^= 8
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	b.mustRun("restore", to, back, "--new-cluster-id")
	kafka, _, stop = serve(t, back)
	b.addr = kafka
	b.same(b.mustRun("consume", "in", "--to", "end"), "one\ntwo\n")
	stop()
}
