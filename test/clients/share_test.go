package clients

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/test/leatproc"
)

// delivery is what a member of a share group says of a record that it got.
type delivery struct {
	count     int
	verdict   string // accept, release, reject
	confirmed bool   // the broker has answered
}

// TestShareGroup has two members of every client with share groups divide a topic
// while the broker is killed with -9: each record is accepted, or rejected where it
// is poison; what was given back comes again and is counted; what the broker has
// confirmed never comes again.
func TestShareGroup(t *testing.T) {
	t.Parallel()
	each(t, func(c Client) bool { return c.Share }, func(t *testing.T, c Client) {
		const partitions, first, second = 3, 600, 600
		s := leatproc.Serve(t)
		a := admin(t, s)
		createTopic(t, a, partitions, "queue")
		fromTheBeginning(t, s, "workers")
		sent := map[at]string{}
		put := func(n int) {
			t.Helper()
			cl, err := kgo.NewClient(kgo.SeedBrokers(s.Addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			var records []*kgo.Record
			for i := range n {
				value := fmt.Sprint(i)
				if i%50 == 7 {
					value = "poison"
				}
				records = append(records, &kgo.Record{Topic: "queue", Partition: int32(i % partitions), Value: []byte(value)})
			}
			if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				sent[at{"queue", int(r.Partition), r.Offset}] = string(r.Value)
			}
		}
		put(first)
		said := make(chan string, 2*(first+second))
		var members []*leatproc.Process
		var reading sync.WaitGroup
		for range 2 {
			command := append(c.command(t), "share", s.Addr, "workers", "queue")
			p := leatproc.Run(t, "", command[0], command[1:]...)
			members = append(members, p)
			reading.Go(func() {
				for line := range p.Stdout {
					said <- line
				}
			})
		}
		deliveries := map[at][]delivery{}
		done := map[at]bool{} // confirmed to be accepted or rejected
		hear := func(line string) {
			t.Helper()
			place, d := at{topic: "queue"}, delivery{}
			var how string
			if _, err := fmt.Sscanf(line, "share\t%d\t%d\t%d\t%s\t%s", &place.partition, &place.offset, &d.count, &d.verdict, &how); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			d.confirmed = how == "confirmed"
			if done[place] {
				t.Errorf("%v comes again (%+v) after %+v", place, d, deliveries[place])
			}
			deliveries[place] = append(deliveries[place], d)
			done[place] = done[place] || d.confirmed && d.verdict != "release"
		}
		for len(deliveries) < first/2 {
			select {
			case line := <-said:
				hear(line)
			case <-time.After(wait):
				t.Fatalf("%d of %d records after %v\n%s", len(deliveries), first/2, wait, members[0].Tail())
			}
		}
		s.Kill()
		s.Start(t)
		put(second)
		leatproc.Until(t, wait, "the group has done all", func() error { return leatproc.Atleast(finished(t, s, "workers", "queue", partitions), first+second) })
		for _, p := range members {
			_ = p.Stdin.Close()
			if err := p.Wait(wait); err != nil {
				t.Error(err)
			}
		}
		reading.Wait()
		close(said)
		for line := range said {
			hear(line)
		}
		again := 0
		for place, value := range sent {
			all := deliveries[place]
			if len(all) == 0 {
				t.Errorf("%v was never delivered", place)
				continue
			}
			last := all[len(all)-1]
			if want := map[bool]string{true: "reject", false: "accept"}[value == "poison"]; last.verdict != want {
				t.Errorf("%v, %q: %+v, want %s", place, value, all, want)
			}
			if len(all) > 1 {
				again++
			}
			for i := 1; i < len(all); i++ {
				if all[i-1].confirmed && all[i-1].verdict == "release" && all[i].count <= all[i-1].count {
					t.Errorf("%v was given back and its delivery is not counted: %+v", place, all)
				}
			}
		}
		if len(deliveries) != len(sent) {
			t.Errorf("%d records were delivered, %d sent", len(deliveries), len(sent))
		}
		if again < len(sent)/20 {
			t.Errorf("%d of %d records came again, and every tenth was given back", again, len(sent))
		}
		t.Logf("%d records, %d of them more than once", len(sent), again)
	})
}

// finished is how many records of a topic a share group is through with, from the
// beginning of each partition on.
func finished(t *testing.T, s *leatproc.Server, group, topic string, partitions int32) (n int) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Addr))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	req := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
	g := kmsg.NewDescribeShareGroupOffsetsRequestGroup()
	g.GroupID = group
	rt := kmsg.NewDescribeShareGroupOffsetsRequestGroupTopic()
	rt.Topic = topic
	for p := range partitions {
		rt.Partitions = append(rt.Partitions, p)
	}
	g.Topics = append(g.Topics, rt)
	req.Groups = append(req.Groups, g)
	resp, err := req.RequestWith(t.Context(), cl)
	if err != nil || len(resp.Groups) != 1 {
		t.Fatalf("the group's offsets: %v, %+v", err, resp)
	}
	for _, rt := range resp.Groups[0].Topics {
		for _, p := range rt.Partitions {
			n += int(max(p.StartOffset, 0))
		}
	}
	return n
}

// fromTheBeginning has a share group start with a topic's first records; without
// it, it starts with those to come.
func fromTheBeginning(t *testing.T, s *leatproc.Server, group string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Addr))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	earliest := "earliest"
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Value = "share.auto.offset.reset", &earliest
	resource.Configs = append(resource.Configs, config)
	req.Resources = append(req.Resources, resource)
	resp, err := req.RequestWith(t.Context(), cl)
	if err != nil || resp.Resources[0].ErrorCode != 0 {
		t.Fatalf("a group's config: %v, %+v", err, resp)
	}
}
