package report

import (
	"fmt"
	"slices"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/work"
)

// leat is the peer that the goals are about.
const leat = "leat"

// Goal is one goal of the project and what this run has to say about it.
type Goal struct {
	Workload, Text string
	// Got is the ratio or value that is compared with Want.
	Got Stat
	// AtMost: Got is to be at most Want, else at least.
	AtMost bool
	Want   float64
	// Detail tells what was compared.
	Detail string
	// Headline goals are among the three that stand at the top.
	Headline bool
}

// Verdict is "reached", "not reached" or "not measured", by the median.
func (g Goal) Verdict() string {
	switch {
	case g.Got.N == 0:
		return "not measured"
	case g.AtMost && g.Got.Median <= g.Want, !g.AtMost && g.Got.Median >= g.Want:
		return "reached"
	default:
		return "not reached"
	}
}

// slowSync is the fdatasync latency above which durable acks are compared with the
// bare loop where that is lower than the broker in memory.
const slowSync = .2 // ms

// Goals evaluates all goals.
func (r Run) Goals() []Goal {
	var all []Goal
	add := func(g Goal) { all = append(all, g) }
	// compare is a goal on leat's value over another's.
	compare := func(workload, text, row, otherRow, other, key string, want float64, atMost bool) Goal {
		mine, its := r.stat(row, leat, key), r.stat(otherRow, other, key)
		return Goal{Workload: workload, Text: text, Got: ratio(r.values(row, leat, key), r.values(otherRow, other, key)), AtMost: atMost, Want: want,
			Detail: fmt.Sprintf("%s to %s (%s)", number(mine.Median), number(its.Median), key)}
	}
	// bound is a goal on a value itself.
	bound := func(workload, text, row, key string, scale, want float64) Goal {
		v := map[int]float64{}
		for round, x := range r.values(row, leat, key) {
			v[round] = x * scale
		}
		var flat []float64
		for _, x := range v {
			flat = append(flat, x)
		}
		return Goal{Workload: workload, Text: text, Got: newStat(flat), AtMost: true, Want: want, Detail: key}
	}

	for _, row := range []struct {
		name, title string
		durable     float64
	}{{"sync64", "64 sync producers, 1 partition", 5}, {"sync64p64", "64 sync producers, 64 partitions", 4}} {
		g := compare(row.title, "acks/s ≥ 0.8 × the in-memory broker", row.name, row.name, r.floor(row.name), work.AcksPerS, .8, false)
		if r.floor(row.name) == work.Bare.Name {
			g = compare(row.title, "acks/s ≥ 0.8 × the bare group commit (syncs are slow here)", row.name, "sync64/group", work.Bare.Name, work.AcksPerS, .8, false)
		}
		g.Headline = row.name == "sync64"
		add(g)
		add(bound(row.title, "p99 < 8 ms", row.name, work.P99, 1, 8))
		best := r.bestDurable(row.name, "")
		g = compare(row.title, fmt.Sprintf("acks/s ≥ %.0f × the best durable peer (%s)", row.durable, best), row.name, row.name, best, work.AcksPerS, row.durable, false)
		g.Headline = row.name == "sync64"
		add(g)
		if kafka := r.bestDurable(row.name, peers.Kafka); kafka != best {
			add(compare(row.title, fmt.Sprintf("the same, the best that speaks Kafka's protocol (%s)", kafka), row.name, row.name, kafka, work.AcksPerS, row.durable, false))
		}
	}
	for _, part := range []string{"first", "then"} {
		add(compare("1,000 partitions", part+": acks/s ≥ 0.8 × the in-memory broker", "sync1000/"+part, "sync1000/"+part, "kfake", work.AcksPerS, .8, false))
	}
	add(compare("one durable producer", "p50 ≤ 1.3 × (fdatasync + round trip)", "one", "one/sum", work.Bare.Name, work.P50, 1.3, true))
	for _, row := range []struct{ name, title string }{{"batch100", "batched produce, 100 B"}, {"batch1k", "batched produce, 1 KiB"}} {
		add(compare(row.title, "records/s ≥ Kafka without fsync (raw client)", row.name, row.name, "kafka", work.RecordsPerS, 1, false))
		add(compare(row.title, "records/s ≥ Kafka without fsync (franz-go)", row.name+"/franz-go", row.name+"/franz-go", "kafka", work.RecordsPerS, 1, false))
		g := compare(row.title, "MB per broker CPU second ≥ 1.5 × Kafka without fsync", row.name, row.name, "kafka", work.MBPerCPU, 1.5, false)
		g.Headline = row.name == "batch1k"
		add(g)
		add(compare(row.title, "MB per broker CPU second ≥ 0.5 × the bare receive, CRC, write, sync", row.name, row.name+"/receivelog", work.Bare.Name, work.MBPerCPU, .5, false))
	}
	for _, part := range []struct{ name, title, cold string }{{"disk", "consume from disk", "-cold"}, {"cached", "consume from the page cache", ""}, {"tail", "consume from the hot tail", ""}, {"ten", "consume, ten groups at once", "-cold"}} {
		for _, raw := range []string{"sendfile", "pread"} {
			add(compare(part.title, "MB per broker CPU second ≥ 0.9 × the raw "+raw+" loop", "consume/"+part.name, "consume/"+raw+part.cold, work.Bare.Name, work.MBPerCPU, .9, false))
		}
	}
	add(compare("consume from the hot tail", "MB per broker CPU second ≥ Kafka", "consume/tail", "consume/tail", "kafka", work.MBPerCPU, 1, false))
	add(bound("consume, ten groups at once", "bytes read from disk ≤ 1.05 × the log", "consume/ten", work.DiskReadShare, 1, 1.05))
	add(compare("consume, ten groups at once", "MB per broker CPU second ≥ 0.95 × one group", "consume/ten", "consume/disk", leat, work.MBPerCPU, .95, false))
	add(compare("end to end, 2,000/s", "p99 ≤ Kafka without fsync", "e2e/2000", "e2e/2000", "kafka", work.P99, 1, true))
	add(compare("end to end, half of the maximum", "p99 ≤ Kafka without fsync", "e2e/half", "e2e/half", "kafka", work.P99, 1, true))
	add(compare("50,000 records/s, linger 5 ms", "ack p99 ≤ Kafka without fsync", "fixed50k", "fixed50k", "kafka", work.P99, 1, true))
	add(bound("8 MiB records", "peak memory < 4 × what is in flight", "big8m/produce", work.PeakMB, 1/work.InFlightMB, 4))
	add(compare("8 MiB records", "MB/s ≥ Kafka without fsync", "big8m/produce", "big8m/produce", "kafka", work.MBPerS, 1, false))
	add(compare("transactions of one record, 16 producers", "commits/s ≥ 2 × Kafka with fsync", "txn", "txn", "kafka-fsync", work.AcksPerS, 2, false))
	add(compare("share group, drain", "records per broker CPU second ≥ Kafka without fsync", "queue/drain", "queue/drain", "kafka", work.RecordsPerCPU, 1, false))
	add(compare("share group, drain", "records per broker CPU second ≥ 10 × RabbitMQ's quorum queue", "queue/drain", "queue/drain", "rabbitmq", work.RecordsPerCPU, 10, false))
	add(compare("share group, drain", "four consumers on one partition: records/s ≥ 0.95 × one's", "queue/four", "queue/one", leat, work.RecordsPerS, .95, false))
	add(bound("share group, 500/s", "due to confirmed acknowledgement: p99 ≤ 1 ms", "queuelatency/acked", work.P99, 1, 1))
	add(bound("share group, joining", "first record ≤ 200 ms", "queuelatency/join", work.Max, 1, 200))
	for _, part := range []struct{ row, title string }{{"classic", "classic protocol"}, {"consumer", "KIP-848"}} {
		for _, what := range []string{"leave", "join"} {
			add(bound("rebalance of 100 members, "+part.title, "one "+what+"s: settled within two heartbeats + 0.5 s", "rebalance/"+part.row+"-"+what, work.SettleMS, 1, 1500))
		}
	}
	add(bound("start", "empty: < 10 ms", "start", work.ReadyMS, 1, 10))
	add(bound("start", "after a clean stop with a large log and 1,000 partitions: < 100 ms", "restart/clean", work.ServingMS, 1, 100))
	add(bound("start", "after kill -9: ≤ 1 s per GiB of WAL", "restart/kill", work.PerGiB, 1, 1))
	add(bound("idle memory", "empty: < 25 MB", "idle/empty", work.RSSMB, 1, 25))
	add(bound("idle memory", "10,000 partitions: < 80 MB", "idle10k/many", work.RSSMB, 1, 80))
	add(bound("idle memory", "10,000 partitions, restarted: < 80 MB", "idle10k/restarted", work.RSSMB, 1, 80))
	add(bound("idle memory", "10,000 partitions: start < 500 ms", "idle10k/restarted", work.ReadyMS, 1, 500))
	add(bound("idle memory", "60 s after load, few partitions: < 25 MB", "afterload/few", work.RSSMB, 1, 25))
	add(bound("idle memory", "60 s after load, 10,000 partitions: < 80 MB", "afterload/many", work.RSSMB, 1, 80))
	if sizes := r.growthSizes(); len(sizes) > 1 {
		small, large := sizes[0], sizes[len(sizes)-1]
		add(compare("growth", fmt.Sprintf("acks/s with %s of log ≥ 0.9 × with %s", large.label, small.label), large.row, small.row, leat, work.AcksPerS, .9, false))
	}
	add(compare("growth", "acks/s beside 1,000 idle connections ≥ 0.9 × beside one", "growth/conns-1000", "growth/conns-1", leat, work.AcksPerS, .9, false))
	return all
}

// floor is what durable acks are compared with: the broker in memory, or the bare
// loop where syncs are slow and it is the lower one.
func (r Run) floor(row string) string {
	group := r.stat("sync64/group", work.Bare.Name, work.AcksPerS)
	if r.stat("one/fdatasync", work.Bare.Name, work.P50).Median > slowSync && group.N > 0 && group.Median < r.stat(row, "kfake", work.AcksPerS).Median {
		return work.Bare.Name
	}
	return "kfake"
}

// bestDurable is the peer with the most acks per second of those that sync before
// the ack, and speak the protocol unless it is "".
func (r Run) bestDurable(row string, protocol peers.Protocol) string {
	best, most := "none", 0.
	for _, p := range r.Peers {
		if s := r.stat(row, p.Name, work.AcksPerS); p.Durable && p.Name != leat && (protocol == "" || p.Protocol == protocol) && s.Median > most {
			best, most = p.Name, s.Median
		}
	}
	return best
}

type growthSize struct {
	mb         int
	row, label string
}

// growthSizes are the sizes of the log in the row growth, the smallest first.
func (r Run) growthSizes() (all []growthSize) {
	for _, res := range r.Results {
		var mb int
		if n, _ := fmt.Sscanf(res.Row, "growth/log-%dMB", &mb); n == 1 && !slices.ContainsFunc(all, func(g growthSize) bool { return g.mb == mb }) {
			label := fmt.Sprintf("%d MB", mb)
			if mb >= 1000 {
				label = fmt.Sprintf("%.3g GB", float64(mb)/1000)
			}
			all = append(all, growthSize{mb, res.Row, label})
		}
	}
	slices.SortFunc(all, func(a, b growthSize) int { return a.mb - b.mb })
	return all
}
