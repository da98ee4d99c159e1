package clients

import (
	"fmt"
	"testing"
	"time"

	"github.com/leatdev/leat/test/leatproc"
)

// TestRestartUnderLoad stops the broker with SIGTERM, and later kills it with -9,
// while a producer and a member of a group are at work. What was acknowledged is
// there, once where the producer is idempotent, and the member reads all of it.
func TestRestartUnderLoad(t *testing.T) {
	t.Parallel()
	eachGroup(t, every, func(t *testing.T, c Client, protocol string) {
		s := leatproc.Serve(t)
		a := admin(t, s)
		createTopic(t, a, 3, "load")
		reader := c.consume(t, s, "readers", protocol, uncommitted, "load")
		settled(t, a, "readers", protocol, 1)
		p := c.produce(t, s, "load", "snappy", c.Idempotent)

		const (
			window = 300  // records that are sent and not acknowledged
			stage  = 1500 // acknowledgements between two restarts
		)
		read := make(chan []record)
		go func() {
			var all []record
			for r := range reader.records {
				all = append(all, r)
			}
			read <- all
		}()
		sent := 0
		var acks []ack
		upTo := func(n int) {
			t.Helper()
			deadline := time.After(wait)
			var nudge <-chan time.Time
			if c.Name == "kcat" {
				tick := time.NewTicker(10 * time.Millisecond)
				defer tick.Stop()
				nudge = tick.C
			}
			for len(acks) < n {
				for ; sent < len(acks)+window; sent++ {
					p.send(t, load(sent))
				}
				select {
				case <-nudge: // kcat tells of acknowledgements only while it gets more, a KiB at a time
					for end := sent + 100; sent < min(end, len(acks)+20_000); sent++ {
						p.send(t, load(sent))
					}
				case ack, ok := <-p.acks:
					if !ok {
						t.Fatalf("the producer ended after %d acknowledgements\n%s", len(acks), p.Tail())
					}
					acks = append(acks, ack)
				case <-deadline:
					t.Fatalf("%d of %d acknowledgements after %v\n%s", len(acks), n, wait, p.Tail())
				}
			}
		}
		upTo(stage)
		s.Stop(t)
		s.Start(t)
		upTo(2 * stage)
		if sent == len(acks) {
			t.Fatal("nothing is under way that a kill could meet")
		}
		s.Kill()
		s.Start(t)
		upTo(3 * stage)
		_ = p.Stdin.Close()
		for ack := range p.acks {
			acks = append(acks, ack)
		}
		if err := p.Wait(wait); err != nil {
			t.Fatal(err)
		}
		if len(acks) != sent {
			t.Errorf("%d records acknowledged of %d that were sent", len(acks), sent)
		}

		log := stored(t, s, a, "load")
		places := byPlace(log)
		copies := map[string]int{}
		for _, r := range log {
			copies[string(r.Value)]++
		}
		acked := map[at]int{}
		for _, k := range acks {
			place := at{"load", k.partition, k.offset}
			acked[place]++
			r := places[place]
			switch {
			case r == nil:
				t.Errorf("%v was acknowledged and is lost", k)
			case k.n >= 0 && string(r.Value) != string(load(k.n).value):
				t.Errorf("record %d was acknowledged at %v, where %q is", k.n, place, r.Value)
			case acked[place] > 1:
				t.Errorf("%v was acknowledged %d times", place, acked[place])
			}
		}
		repeats := 0
		for i := range sent {
			n := copies[string(load(i).value)]
			if n == 0 {
				t.Errorf("record %d is lost", i)
			}
			repeats += max(0, n-1)
		}
		if extra := len(log) - sent - repeats; extra != 0 {
			t.Errorf("%d records are in the log that nobody sent", extra)
		}
		if c.Idempotent && repeats > 0 {
			t.Errorf("%d records are twice in the log, and the producer is idempotent", repeats)
		}
		// Without idempotence a request whose answer was lost is sent again.
		if !c.Idempotent && repeats > 2*window {
			t.Errorf("%d repeats, more than were under way at two restarts", repeats)
		}

		leatproc.Until(t, wait, "the group commits all", func() error {
			committed, err := a.FetchOffsets(t.Context(), "readers")
			if err != nil {
				return err
			}
			total := int64(0)
			for _, o := range committed.Offsets()["load"] {
				total += o.At
			}
			return leatproc.Atleast(int(total), len(log))
		})
		reader.stop(t)
		all := <-read
		if err := reader.Wait(wait); err != nil {
			t.Error(err)
		}
		got := map[at]int{}
		for _, r := range all {
			place := at{r.topic, r.partition, r.offset}
			got[place]++
			if err := same(r, places[place]); err != nil {
				t.Errorf("read at %v: %v", place, err)
			}
		}
		for place := range places {
			if got[place] == 0 {
				t.Errorf("%v was never read", place)
			}
		}
		t.Logf("%d records sent, %d in the log, %d read again after a restart", sent, len(log), again(got))
	})
}

func again(got map[at]int) (n int) {
	for _, times := range got {
		n += times - 1
	}
	return n
}

// load is the i-th record of the load; its key decides the partition.
func load(i int) record {
	return record{partition: -1, key: fmt.Appendf(nil, "key %d", i%50), value: fmt.Appendf(nil, "load %d", i)}
}
