package broker

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// quotaText lists the quotas of the catalogue.
func quotaText(b *Broker) string {
	var out []string
	for e, quotas := range b.Catalog.Snapshot().Quotas() {
		out = append(out, fmt.Sprint(e, quotas))
	}
	return strings.Join(out, "\n")
}

func ofClient(id string) kafka.QuotaEntity {
	return kafka.QuotaEntity{ClientID: kafka.QuotaOf(&id)}
}

// edit sets quotas of an entity: name, value, name, value ...; 0 takes one away.
func edit(e kafka.QuotaEntity, pairs ...any) QuotaEdit {
	out := QuotaEdit{Entity: e}
	for i := 0; i < len(pairs); i += 2 {
		op := QuotaOp{Name: pairs[i].(string)}
		if n := pairs[i+1].(float64); n != 0 {
			op.Value = &n
		}
		out.Ops = append(out.Ops, op)
	}
	return out
}

func mustAlter(t *testing.T, b *Broker, edits ...QuotaEdit) {
	t.Helper()
	for e, err := range b.AlterQuotas(edits, false) {
		if err != nil {
			t.Fatal(e, err)
		}
	}
}

// Quotas are on disk when they are answered, and enforced from the start on; a backup has
// them.
func TestQuotasSurvive(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"stop", "power cut", "kill", "backup"} {
		fs := vfs.NewMem()
		b := openTopicsTest(t, fs, nil)
		mustAlter(t, b, edit(ofClient("a"), "producer_byte_rate", 1e6, "request_percentage", 12.5), edit(ofClient("gone"), "consumer_byte_rate", 1.0),
			edit(kafka.QuotaEntity{User: kafka.QuotaOf(nil), ClientID: kafka.QuotaOf(new("b,c"))}, "controller_mutation_rate", 0.25),
			edit(kafka.QuotaEntity{IP: kafka.QuotaOf(nil)}, "connection_creation_rate", 9.0))
		mustAlter(t, b, edit(ofClient("a"), "request_percentage", 0.0), edit(ofClient("gone"), "consumer_byte_rate", 0.0))
		want := quotaText(b)
		dir := "/data"
		switch how {
		case "stop":
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
		case "power cut", "kill":
			disk := fs.Kill()
			if how == "power cut" {
				disk = fs.Crash(vfs.KeepNone, 1)
			}
			b.Abandon()
			fs = disk
		case "backup":
			if _, err := b.Backup(t.Context(), "/backups/monday"); err != nil {
				t.Fatal(err)
			}
			mustAlter(t, b, edit(ofClient("later"), "producer_byte_rate", 1.0))
			b.Abandon()
			dir = "/restored"
			if _, err := Restore(t.Context(), fs, "/backups/monday", dir, false); err != nil {
				t.Fatal(err)
			}
		}
		again, err := Open(Config{FS: fs, Dir: dir})
		if err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		if got := quotaText(again); got != want || strings.Count(want, "\n") != 2 {
			t.Errorf("%s: found\n%s\nwant\n%s", how, got, want)
		}
		if c := again.Quotas.Of("User:x", "a"); c == nil || c.Produced(1<<30) == 0 || again.Quotas.Of("User:x", "other").Produced(1<<30) != 0 {
			t.Errorf("%s: the quota is not enforced, or not that of its client alone", how)
		}
		again.Abandon()
	}
}

// What one request changes is there whole or not at all, whenever the power goes.
func TestAlterQuotasIsAtomic(t *testing.T) {
	t.Parallel()
	seen := map[float64]bool{}
	for step := range 12 {
		disk := vfs.NewMem()
		faulty := vfs.NewFaulty(disk)
		c := openTopicsTest(t, faulty, nil)
		mustAlter(t, c, edit(ofClient("a"), "producer_byte_rate", 1.0), edit(ofClient("b"), "producer_byte_rate", 1.0))
		faulty.Add(vfs.Rule{Op: vfs.OpChange, After: step, Err: syscall.EIO})
		done := c.AlterQuotas([]QuotaEdit{edit(ofClient("a"), "producer_byte_rate", 2.0), edit(ofClient("b"), "producer_byte_rate", 2.0)}, false)
		c.Abandon()
		for _, keep := range []vfs.Keep{vfs.KeepNone, vfs.KeepAll, vfs.KeepSome} {
			after := openTopicsTest(t, disk.Crash(keep, uint64(step)), nil)
			s := after.Catalog.Snapshot()
			a, b := s.QuotasOf(ofClient("a"))["producer_byte_rate"], s.QuotasOf(ofClient("b"))["producer_byte_rate"]
			if a != b || a != 2 && done[ofClient("a")] == nil {
				t.Errorf("step %d: a has %v, b has %v; it was answered with %v", step, a, b, done[ofClient("a")])
			}
			seen[a] = true
			after.Abandon()
		}
	}
	if !seen[1] || !seen[2] {
		t.Errorf("only %v was met", seen)
	}
}
