package java

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/jvm"
	"github.com/leatdev/leat/test/kafkaproc"
	"github.com/leatdev/leat/test/leatproc"
)

func TestMain(m *testing.M) { leatproc.Main(m) }

// Two share consumers accept, release, reject and renew. Every record gets to its end
// once: what the broker has confirmed never comes again, although it is killed.
func TestQueue(t *testing.T) {
	t.Run("leat", func(t *testing.T) {
		s := leatproc.Serve(t)
		queue(t, s.Addr, func() { s.Kill(); s.Start(t) })
	})
	t.Run("kafka", func(t *testing.T) {
		k, err := kafkaproc.Run()
		if err != nil {
			leatproc.Missing(t, "Apache Kafka", err)
		}
		t.Cleanup(k.Remove)
		queue(t, k.Addr, nil)
	})
}

// kinds are the letters that Queue knows, and what becomes of such a record in the end.
var kinds = []struct{ letter, end string }{{"a", "accept"}, {"l", "accept"}, {"j", "reject"}, {"n", "accept"}}

func queue(t *testing.T, addr string, kill func()) {
	const records = 2000
	broker := jvm.Look(t, addr)
	broker.CreateTopic("work", 3)
	broker.SetGroupConfig("workers", "share.auto.offset.reset", "earliest")
	send := func(from, to int) {
		var some []*kgo.Record
		for i := from; i < to; i++ {
			some = append(some, &kgo.Record{Topic: "work", Key: fmt.Append(nil, i), Value: fmt.Appendf(nil, "%s%d", kinds[i%len(kinds)].letter, i)})
		}
		broker.Send(some...)
	}
	send(0, records/2)

	lines := make(chan string, 1024)
	for range 2 {
		p := jvm.Run(t, "Queue", addr, "workers", "work")
		go func() {
			for l := range p.Stdout {
				select {
				case lines <- l:
				case <-t.Context().Done():
				}
			}
		}()
		defer func() {
			p.Signal(t, syscall.SIGTERM)
			if err := p.Wait(30 * time.Second); err == nil || !strings.Contains(err.Error(), "143") {
				t.Errorf("a share consumer's end: %v", err)
			}
		}()
	}
	type seen struct {
		value                                         string
		got, delivery, accept, reject, release, renew int
		unconfirmed                                   bool
		story                                         string // what was said of it, and after how many kills
	}
	at := map[string]*seen{}
	ended, unconfirmed, kills := 0, 0, 0
	sent, err := false, error(nil)
	deadline := time.After(100 * time.Second)
	// An answer may be lost in a kill, so what is finished is what the broker says.
	look := time.NewTicker(300 * time.Millisecond)
	defer look.Stop()
	settled := func() bool { // nothing more will be said
		for _, s := range at {
			if s.accept+s.reject == 0 && !s.unconfirmed {
				return false
			}
		}
		return len(at) == records
	}
	for lag := int64(records); lag > 0 || !settled(); {
		var line string
		select {
		case line = <-lines:
		case <-look.C:
			if !sent || lag == 0 {
				continue
			}
			if lag, err = broker.ShareLag("workers", "work"); err != nil {
				lag = records // a coordinator that is being loaded
			}
			continue
		case <-deadline:
			t.Fatalf("%d of %d records are not finished, %d have an answer: %v", lag, records, ended, err)
		}
		f := strings.Fields(line)
		if len(f) < 2 {
			t.Fatalf("a share consumer says %q", line)
		}
		s := at[f[1]]
		if s == nil {
			s = &seen{}
			at[f[1]] = s
		}
		s.story += fmt.Sprintf(" %s/%d", f[0], kills)
		switch f[0] {
		case "got":
			s.value = f[2]
			n, err := strconv.Atoi(f[3])
			if err != nil {
				t.Fatal(err)
			}
			s.delivery, s.got = max(s.delivery, n), s.got+1
		case "accept":
			s.accept++
			ended++
		case "reject":
			s.reject++
			ended++
		case "release":
			s.release++
		case "renew":
			s.renew++
		case "unconfirmed":
			s.unconfirmed = true
			unconfirmed++
		default:
			t.Fatalf("a share consumer says %q", line)
		}
		if !sent && ended > records/5 {
			sent = true
			if kill != nil {
				kill()
				kills++
			}
			send(records/2, records)
		}
	}
	if len(at) != records {
		t.Errorf("%d records were delivered of %d", len(at), records)
	}
	t.Logf("%d deliveries were not confirmed", unconfirmed)
	for place, s := range at {
		n, err := strconv.Atoi(s.value[1:])
		if err != nil {
			t.Fatal(err)
		}
		kind := kinds[n%len(kinds)]
		ends := map[string]int{"accept": s.accept, "reject": s.reject}
		if s.value[:1] != kind.letter || s.accept+s.reject > 1 || ends[kind.end] != 1 && !s.unconfirmed {
			t.Errorf("%s: %+v did not come to its one end", place, *s)
		}
		if !s.unconfirmed && (s.value[0] == 'l' && s.delivery < 2 || s.value[0] == 'n' && s.renew < 1) {
			t.Errorf("%s: %+v was not released or renewed before", place, *s)
		}
		if kill == nil && s.value[0] != 'l' && s.delivery != 1 {
			t.Errorf("%s: %+v was delivered again", place, *s)
		}
	}
}
