package java

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/jvm"
	"github.com/leatdev/leat/test/leatproc"
)

// A transactional producer goes on while the broker is killed, until a second one with
// its transactional id takes over: the first is fenced and ends. A read_committed
// consumer has all records of each transaction that was committed, and none of any other.
func TestTransactionsAndFencing(t *testing.T) {
	const each = 300
	s := leatproc.Serve(t)
	broker := jvm.Look(t, s.Addr)
	broker.CreateTopic("debits", 2)
	broker.CreateTopic("credits", 2)
	fate := map[int]string{}
	// follow reads a producer's lines until it has ended n transactions, or was fenced.
	follow := func(p *leatproc.Process, n int) (fenced bool) {
		t.Helper()
		deadline := time.After(time.Minute)
		for done := 0; done < n; {
			select {
			case line, ok := <-p.Stdout:
				what, number, _ := strings.Cut(line, " ")
				i, err := strconv.Atoi(number)
				if !ok || err != nil {
					t.Fatalf("a producer says %q\n%s", line, p.Tail())
				}
				fate[i] = what
				if what == "fenced" {
					return true
				}
				if what != "begun" {
					done++
				}
			case <-deadline:
				t.Fatalf("%d of %d transactions have ended\n%s", done, n, p.Tail())
			}
		}
		return false
	}
	start := func(first int) *leatproc.Process {
		return jvm.Run(t, "Transfers", s.Addr, "transfers", fmt.Sprint(first), "debits", "credits")
	}
	first := start(0)
	follow(first, each)
	s.Kill()
	s.Start(t)
	follow(first, each)
	second := start(1_000_000)
	follow(second, 1)
	if !follow(first, 1_000_000) {
		t.Error("the first producer was not fenced")
	}
	if err := first.Wait(30 * time.Second); err != nil {
		t.Error(err)
	}
	follow(second, each)
	s.Kill()
	s.Start(t)
	follow(second, each)
	second.Kill()
	third := start(2_000_000) // ends what the second has left open
	follow(third, 1)
	third.Kill()
	fourth := start(3_000_000)
	follow(fourth, 1)
	fourth.Kill()
	// Nothing is left open but what the fourth had begun; a fifth ends that.
	follow(start(4_000_000), 1)

	read := map[int]int{}
	for _, topic := range []string{"debits", "credits"} {
		for _, r := range broker.Read(topic) {
			n, err := strconv.Atoi(string(r.Value))
			if err != nil {
				t.Fatal(err)
			}
			read[n]++
		}
	}
	counts := map[string]int{}
	for n, what := range fate {
		counts[what]++
		switch {
		case what == "committed" && read[n] != 4:
			t.Errorf("transaction %d was committed, %d of 4 records can be read", n, read[n])
		case what == "aborted" && read[n] != 0:
			t.Errorf("transaction %d was aborted, %d records can be read", n, read[n])
		case what != "committed" && read[n] != 0 && read[n] != 4: // nobody was told
			t.Errorf("transaction %d: %d of 4 records can be read", n, read[n])
		}
	}
	if counts["committed"] < 3*each || counts["aborted"] < 4*each/5 {
		t.Errorf("the test did not see what it is for: %v", counts)
	}
}

// Kafka's own copier consumes, sends and commits in one transaction, with aborts by
// chance, while the broker is killed: the copy has each record once.
func TestCopier(t *testing.T) {
	const records = 4000
	s := leatproc.Serve(t)
	broker := jvm.Look(t, s.Addr)
	broker.CreateTopic("original", 1)
	broker.CreateTopic("copy", 1)
	var all []*kgo.Record
	for i := range records {
		all = append(all, &kgo.Record{Topic: "original", Key: fmt.Append(nil, i), Value: fmt.Append(nil, i)})
	}
	broker.Send(all...)
	copier := jvm.Run(t, "org.apache.kafka.tools.TransactionalMessageCopier", "--broker-list", s.Addr, "--input-topic", "original", "--input-partition", "0",
		"--output-topic", "copy", "--consumer-group", "copiers", "--transactional-id", "copier", "--transaction-size", "50", "--enable-random-aborts", "--use-group-metadata",
		"--max-messages", fmt.Sprint(records))
	killed := false
	deadline := time.After(time.Minute)
	for open := true; open; {
		select {
		case _, open = <-copier.Stdout:
			if !killed && broker.Ends("copy") > records/4 {
				killed = true
				s.Kill()
				s.Start(t)
			}
		case <-deadline:
			t.Fatalf("the copier does not end\n%s", copier.Tail())
		}
	}
	if err := copier.Wait(10 * time.Second); err != nil {
		t.Error(err)
	}
	if !killed {
		t.Error("the copier ended before the broker was killed")
	}
	times := map[string]int{}
	copied := broker.Read("copy")
	for _, r := range copied {
		times[string(r.Value)]++
	}
	if len(copied) != records || len(times) != records {
		t.Errorf("the copy has %d records with %d values of %d", len(copied), len(times), records)
	}
	if got := broker.Committed("copiers"); got != records {
		t.Errorf("%d of %d are committed", got, records)
	}
}
