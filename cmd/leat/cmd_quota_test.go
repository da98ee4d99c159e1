package main

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/server"
)

func TestQuota(t *testing.T) {
	t.Parallel()
	b := setupLeat(t, "in")
	b.same(b.mustRun("quota", "list"), "ENTITY  QUOTA  VALUE\n")
	b.same(b.mustRun("quota", "set", "client-id=a,b", "producer_byte_rate=1048576", "request_percentage=12.5"), "client-id=a,b: 2 quotas set\n")
	b.same(b.mustRun("quota", "set", "client-id=a,b,user", "controller_mutation_rate=0.5"), "client-id=a,b,user: 1 quota set\n")
	b.same(b.mustRun("quota", "set", "ip", "connection_creation_rate=100", "--dry-run"), "ip: 1 quota would be changed\n")
	b.same(b.mustRun("quota", "list"), `ENTITY              QUOTA                     VALUE
client-id=a,b       producer_byte_rate        1048576
client-id=a,b       request_percentage        12.5
client-id=a,b,user  controller_mutation_rate  0.5
`)
	b.same(b.mustRun("quota", "delete", "client-id=a,b", "request_percentage"), "client-id=a,b: 1 quota deleted\n")
	b.same(b.mustRun("quota", "delete", "client-id=a,b,user"), "client-id=a,b,user: 1 quota deleted\n")
	var lines []quotaLine
	b.decode(b.mustRun("quota", "list", "-o", "json"), &lines)
	if len(lines) != 1 || lines[0] != (quotaLine{"client-id=a,b", "producer_byte_rate", 1048576}) {
		t.Errorf("%+v", lines)
	}
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "want client-id=NAME", []string{"set", "group=g", "producer_byte_rate=1"}},
		{2, "want a number", []string{"set", "user=alice", "producer_byte_rate=1MB"}},
		{2, "want NAME=VALUE", []string{"set", "user=alice", "producer_byte_rate"}},
		{1, "Invalid configuration key thinking_rate", []string{"set", "user=alice", "thinking_rate=1"}},
		{1, "not be combined", []string{"set", "user=alice,ip=::1", "producer_byte_rate=1"}},
		{1, "client-id=a,b has no quota consumer_byte_rate", []string{"delete", "client-id=a,b", "consumer_byte_rate"}},
		{1, "user=alice has no quotas", []string{"delete", "user=alice"}},
	} {
		r := b.run(append([]string{"quota"}, c.args...)...)
		if r.code != c.code {
			t.Errorf("%v: exit %d, want %d", c.args, r.code, c.code)
		}
		b.contains(r.err, c.want)
	}
}

// throttled counts how often a client is told to wait.
type throttled struct{ times atomic.Int32 }

func (h *throttled) OnBrokerThrottle(kgo.BrokerMetadata, time.Duration, bool) { h.times.Add(1) }

// What is set is enforced, and what is deleted no longer.
func TestQuotaHolds(t *testing.T) {
	t.Parallel()
	s, err := server.Start(t.Context(), server.Config{Listen: "127.0.0.1:0", Configs: map[string]string{"num.partitions": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	b := &bench{t: t, addr: s.Addr(), node: "1", env: map[string]string{}}
	b.mustRun("topic", "create", "in")
	waits := func(id string) int32 {
		h := &throttled{}
		cl := b.client(kgo.ClientID(id), kgo.WithHooks(h)) // each with connections of its own: one that waits does so to the end
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Value: make([]byte, 200)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		return h.times.Load()
	}
	b.mustRun("quota", "set", "client-id=slow", "producer_byte_rate=1")
	if slow, other := waits("slow"), waits("other"); slow != 1 || other != 0 {
		t.Errorf("with a quota it waits %d times, another client id %d times", slow, other)
	}
	b.mustRun("quota", "delete", "client-id=slow")
	if n := waits("slow"); n != 0 {
		t.Errorf("without a quota it waits %d times", n)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(quotaMetrics{s})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue()
		}
	}
	if len(got) != 9 || got["leat_quota_throttles_total producer_byte_rate"] != 1 || got["leat_quota_throttle_seconds_total producer_byte_rate"] < 10 ||
		got["leat_quota_throttles_total consumer_byte_rate"] != 0 || got["leat_quota_rejected_connections_total"] != 0 {
		t.Errorf("%v", got)
	}
}
