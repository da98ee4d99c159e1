package main

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// open begins a transaction of id and writes a record in it to partition 0 of topic in.
func (b *bench) open(id string) *kgo.Client {
	b.t.Helper()
	cl := b.client(kgo.TransactionalID(id), kgo.TransactionTimeout(45*time.Second), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := cl.BeginTransaction(); err != nil {
		b.t.Fatal(err)
	}
	if err := cl.ProduceSync(b.t.Context(), &kgo.Record{Topic: "in", Value: []byte("of " + id)}).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
	return cl
}

func end(t *testing.T, cl *kgo.Client, how kgo.TransactionEndTry) {
	t.Helper()
	if err := cl.EndTransaction(t.Context(), how); err != nil {
		t.Fatal(err)
	}
}

func TestTxnList(t *testing.T) {
	t.Parallel()
	b := setup(t, "in")
	b.same(b.mustRun("txn", "list", "-o", "json"), "[]\n")
	end(t, b.open("done"), kgo.TryCommit)
	b.open("busy")
	var lines []txnLine
	b.decode(b.mustRun("txn", "list", "-o", "json"), &lines)
	if len(lines) != 2 || lines[0].TransactionalID != "busy" || lines[0].State != "Ongoing" || lines[1].TransactionalID != "done" || lines[1].State == "Ongoing" {
		t.Errorf("%+v", lines)
	}
	b.decode(b.mustRun("txn", "list", "--state", "ongoing", "-o", "json"), &lines)
	if len(lines) != 1 || lines[0].TransactionalID != "busy" {
		t.Errorf("%+v", lines)
	}
	b.contains(b.mustRun("txn", "list"), "TRANSACTION  STATE ")
	if r := b.run("txn", "list", "--state", "Open"); r.code != 2 {
		t.Errorf("a state that there is not: exit %d", r.code)
	}
}

func TestTxnDescribe(t *testing.T) {
	t.Parallel()
	b := setup(t, "in")
	b.open("busy")
	r := b.run("txn", "describe", "busy", "nobody", "-o", "json")
	var got []txnDescription
	b.decode(r.out, &got)
	if r.code != 1 || len(got) != 2 || got[0].State != "Ongoing" || got[0].TimeoutMs != 45000 || got[0].Started == nil ||
		len(got[0].Partitions) != 1 || got[0].Partitions[0] != (partitionName{"in", 0}) || got[1].Error == "" {
		t.Errorf("exit %d, %+v", r.code, got)
	}
	out := b.mustRun("txn", "describe", "busy")
	b.contains(out, "busy  Ongoing for ")
	b.contains(out, "timeout 45s\nTOPIC  PARTITION\nin     0\n")
	b.contains(b.run("txn", "describe", "nobody").err, "nobody: TRANSACTIONAL_ID_NOT_FOUND: there is no such transactional id; `leat txn list`")
}

func TestTxnProducers(t *testing.T) {
	t.Parallel()
	b := setup(t, "in")
	end(t, b.open("done"), kgo.TryCommit)
	b.open("busy")
	b.open("busy2")
	var lines []producerLine
	b.decode(b.mustRun("txn", "producers", "in", "--open", "-o", "json"), &lines)
	// One record and its marker come before them.
	if len(lines) != 2 || lines[0].OpenSince != 2 || lines[1].OpenSince != 3 || lines[0].LastSequence != 0 || lines[0].Topic != "in" {
		t.Errorf("%+v", lines)
	}
	b.decode(b.mustRun("txn", "producers", "in:1", "-o", "json"), &lines)
	if len(lines) != 0 {
		t.Errorf("%+v", lines)
	}
	r := b.run("txn", "producers", "nowhere")
	b.contains(r.out, "UNKNOWN_TOPIC_OR_PARTITION")
	if r.code != 1 {
		t.Errorf("exit %d", r.code)
	}
}

func TestTxnAbort(t *testing.T) {
	t.Parallel()
	b := setup(t, "in")
	cl := b.open("busy")
	b.same(b.mustRun("txn", "abort", "busy", "--dry-run"), "busy: would be aborted\n")
	if r := b.run("txn", "abort", "busy"); r.code != 2 {
		t.Errorf("without --yes: exit %d", r.code)
	}
	b.contains(b.mustRun("txn", "list", "--state", "Ongoing"), "busy") // the dry run and the refusal aborted nothing
	b.same(b.mustRun("txn", "abort", "busy", "-y"), "busy: aborted\n")
	b.contains(b.mustRun("txn", "abort", "busy", "-y"), "busy: nothing to abort, its state is ")
	if err := cl.EndTransaction(t.Context(), kgo.TryCommit); err == nil {
		t.Error("the producer has committed what was aborted")
	}
	b.produce(&kgo.Record{Topic: "in", Value: []byte("after")})
	b.same(b.mustRun("consume", "in", "-p", "0", "--to", "end", "--committed"), "after\n")
	r := b.run("txn", "abort", "nobody", "-y")
	if r.code != 1 {
		t.Errorf("exit %d", r.code)
	}
	b.contains(r.err, "nobody: TRANSACTIONAL_ID_NOT_FOUND")
}

// What is read with --committed ends before the first open transaction; without it,
// at the end.
func TestConsumeCommitted(t *testing.T) {
	t.Parallel()
	b := setup(t, "in")
	end(t, b.open("first"), kgo.TryCommit)
	end(t, b.open("second"), kgo.TryAbort)
	cl := b.open("third")
	b.same(b.mustRun("consume", "in", "-p", "0", "--to", "end"), "of first\nof second\nof third\n")
	b.same(b.mustRun("consume", "in", "-p", "0", "--to", "end", "--committed"), "of first\n")
	end(t, cl, kgo.TryCommit)
	b.same(b.mustRun("consume", "in", "-p", "0", "--to", "end", "--committed"), "of first\nof third\n")
	b.same(b.mustRun("consume", "in", "-g", "g", "-n", "2", "--committed"), "of first\nof third\n")
}
