package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/leatdev/leat/bench/internal/work"
)

// column is a value in a table.
type column struct {
	key, title string
}

// section is a part of the report: tables of some rows with the same columns.
type section struct {
	title, about string
	parts        []part
	columns      []column
	// plot is the column that is drawn; "" for none.
	plot string
	// together: one plot of Leat's parts instead of one plot of each part's brokers.
	together bool
}

// part is one table.
type part struct{ row, title string }

var (
	ackColumns    = []column{{work.AcksPerS, "acks/s"}, {work.P50, "p50 ms"}, {work.P99, "p99 ms"}, {work.AcksPerCPU, "acks per broker CPU s"}}
	moveColumns   = []column{{work.RecordsPerS, "records/s"}, {work.MBPerS, "MB/s"}, {work.MBPerCPU, "MB per broker CPU s"}}
	readColumns   = []column{{work.RecordsPerS, "records/s"}, {work.MBPerS, "MB/s"}, {work.MBPerCPU, "MB per broker CPU s"}, {work.DiskReadShare, "disk read / log"}}
	lateColumns   = []column{{work.RecordsPerS, "records/s"}, {work.P50, "p50 ms"}, {work.P99, "p99 ms"}}
	bigColumns    = []column{{work.MBPerS, "MB/s"}, {work.MBPerCPU, "MB per broker CPU s"}, {work.PeakMB, "peak memory above idle, MB"}, {work.P99, "p99 ms"}}
	txnColumns    = []column{{work.AcksPerS, "commits/s"}, {work.P50, "p50 ms"}, {work.P99, "p99 ms"}, {work.AcksPerCPU, "commits per broker CPU s"}}
	queueColumns  = []column{{work.RecordsPerS, "records/s"}, {work.RecordsPerCPU, "records per broker CPU s"}}
	waitColumns   = []column{{work.P50, "p50 ms"}, {work.P99, "p99 ms"}, {work.Max, "max ms"}}
	settleColumns = []column{{work.SettleMS, "settled, ms"}}
	bootColumns   = []column{{work.ReadyMS, "first answer, ms"}, {work.ServingMS, "all partitions served, ms"}, {work.LogMB, "on disk, MB"}, {work.WALMB, "WAL, MB"}, {work.PerGiB, "s per GiB of WAL"}}
	restColumns   = []column{{work.RSSMB, "memory (RSS), MB"}, {work.PeakMB, "peak, MB"}, {work.ReadyMS, "start, ms"}}
)

// sections are the report's, in order.
func (r Run) sections() []section {
	growth := section{title: "Growth", about: "64 producers of 1 KiB (raw client) while the log beside grows, and with idle connections.", columns: ackColumns, plot: work.AcksPerS, together: true}
	for _, g := range r.growthSizes() {
		growth.parts = append(growth.parts, part{g.row, g.label + " of log"})
	}
	growth.parts = append(growth.parts, part{"growth/conns-1", "1 idle connection"}, part{"growth/conns-1000", "1,000 idle connections"})
	return []section{
		{"64 producers that wait for each ack", "Records of 1 KiB, acks=all, one in flight for each producer. NATS and RabbitMQ speak other protocols to other clients: their figures are beside, not in the same race. The raw client takes less of the CPU that client and broker share.",
			[]part{{"sync64", "1 partition"}, {"sync64/raw", "1 partition, raw client"}, {"sync64/group", "the bare loop: 64 writers, one file, group commit"}, {"sync64p64", "64 partitions"}, {"sync64p64/raw", "64 partitions, raw client"}}, ackColumns, work.AcksPerS, false},
		{"1,000 partitions created beforehand", "The same 64 producers. First: one record to each partition. Then: the seconds that follow.",
			[]part{{"sync1000/first", "first touch"}, {"sync1000/then", "then"}}, ackColumns, work.AcksPerS, false},
		{"One producer alone", "Records of 1 KiB, one in flight.",
			[]part{{"one", "raw client, or the peer's own"}, {"one/fdatasync", "the bare loop: 1 KiB and fdatasync"}, {"one/roundtrip", "the bare loop: a round trip over loopback"}, {"one/sum", "both, one after the other"}, {"one/echosync", "the bare loop: receive, write, fdatasync, answer"}}, ackColumns, work.P50, false},
		{"Batched produce", "acks=all, 4 partitions; the raw client has 2 connections with 5 requests in flight of 4 batches of 64 KiB each; franz-go is one client with its own batching. MB are of batches with the raw client, of values with franz-go.",
			[]part{{"batch100", "100 B, raw client"}, {"batch100/franz-go", "100 B, franz-go"}, {"batch1k", "1 KiB, raw client"}, {"batch1k/franz-go", "1 KiB, franz-go"},
				{"batch1k/receive", "the bare loop: receive"}, {"batch1k/receivelog", "the bare loop: receive, CRC-32C, write, fdatasync each 64 MiB"}, {"batch1k/receiveacked", "the bare loop: receive, CRC-32C, write to 4 files, fdatasync of all and of a log each 1.25 MiB"}, {"batch1k/write", "the bare loop: sequential write, fdatasync each 64 MiB"}}, moveColumns, work.MBPerCPU, false},
		{"Consume", "4 partitions, at most 1 MiB of each in an answer. From disk: the page cache was dropped before.",
			[]part{{"consume/disk", "1 KiB, from disk"}, {"consume/cached", "1 KiB, from the page cache"}, {"consume/tail", "1 KiB, hot tail (what was just written)"}, {"consume/ten", "1 KiB, ten groups at once, from disk"}, {"consume/franz-go", "1 KiB, franz-go"},
				{"consume100/disk", "100 B, from disk"}, {"consume100/cached", "100 B, from the page cache"}, {"consume100/franz-go", "100 B, franz-go"},
				{"consume/sendfile", "the bare loop: sendfile from the page cache"}, {"consume/pread", "the bare loop: pread and write from the page cache"}, {"consume/sendfile-cold", "the bare loop: sendfile from disk"}, {"consume/pread-cold", "the bare loop: pread and write from disk"}}, readColumns, work.MBPerCPU, false},
		{"End to end", "From the moment a record was due until a consumer has it; records of 1 KiB, 1 partition, linger 0, franz-go on both ends. Half: half of the least maximum of the peers, the same for all.",
			[]part{{"e2e/2000", "2,000 records/s"}, {"e2e/half", "half of the maximum"}}, lateColumns, work.P99, false},
		{"A fixed rate", "50,000 records of 100 B per second, linger 5 ms, 4 partitions, franz-go: from the moment a record was due until it was acked.",
			[]part{{"fixed50k", "50,000 records/s"}}, lateColumns, work.P99, false},
		{"Records of 8 MiB", fmt.Sprintf("4 connections with one record in flight each (%.1f MB), then 4 readers. Leat and kfake are started for it.", work.InFlightMB),
			[]part{{"big8m/produce", "produce"}, {"big8m/consume", "consume"}}, bigColumns, work.MBPerS, false},
		{"Transactions", "16 producers (franz-go), each on a partition of its own: begin, one record of 1 KiB, commit.",
			[]part{{"txn", "transactions of one record"}}, txnColumns, work.AcksPerS, false},
		{"Queues", fmt.Sprintf("Share groups (franz-go), records of 100 B, every one delivered, acknowledged and counted; RabbitMQ's quorum queue with as many unacknowledged. %d records; measured from the first delivery to the last confirmed acknowledgement.", r.Sizes.Queue),
			[]part{{"queue/drain", "4 consumers on 4 partitions"}, {"queue/one", "1 consumer on 1 partition"}, {"queue/four", "4 consumers on 1 partition"}}, queueColumns, work.RecordsPerCPU, false},
		{"Queues, latency", "From the moment a record was due until its acknowledgement was confirmed, at 500/s; and from the making of a share consumer until its first record.",
			[]part{{"queuelatency/acked", "confirmed acknowledgement"}, {"queuelatency/join", "first record after joining"}}, waitColumns, work.P99, false},
		{"Rebalances", fmt.Sprintf("%d members (franz-go) on as many partitions, heartbeats of 500 ms, no initial delay: until every partition has exactly one owner.", r.Sizes.Members),
			[]part{{"rebalance/classic-start", "classic, all join at once"}, {"rebalance/classic-leave", "classic, one leaves"}, {"rebalance/classic-join", "classic, one joins"},
				{"rebalance/consumer-start", "KIP-848, all join at once"}, {"rebalance/consumer-leave", "KIP-848, one leaves"}, {"rebalance/consumer-join", "KIP-848, one joins"}}, settleColumns, work.SettleMS, false},
		growth,
		{"Start", "From the start of the process. The log is large (Kafka's is a tenth of Leat's) and over 1,000 partitions, the page cache is warm; kill -9 under load of full batches.",
			[]part{{"start", "empty"}, {"restart/clean", "after a clean stop"}, {"restart/kill", "after kill -9"}}, bootColumns, work.ReadyMS, false},
		{"Memory at rest", "Internal topics and one group are there.",
			[]part{{"idle/empty", "empty"}, {"idle10k/many", "10,000 partitions"}, {"idle10k/restarted", "10,000 partitions, restarted"}, {"afterload/few", "60 s after load, 4 partitions"}, {"afterload/many", "60 s after load, 10,000 partitions"}}, restColumns, work.RSSMB, true},
	}
}

// Markdown is the report for people.
func (r Run) Markdown(remarks string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Leat beside its peers, in one run\n\n")
	fmt.Fprintf(&b, "%s, `%s`, %s.\n\n%s.\n\n", r.Date.Format("2006-01-02 15:04 MST"), r.Command, (time.Duration(r.Seconds) * time.Second).String(), r.Machine)
	if s := r.stat("one/fdatasync", work.Bare.Name, work.P50); s.N > 0 {
		fmt.Fprintf(&b, "fdatasync after 1 KiB: p50 %s ms, p99 %s ms.\n\n", cell(s), cell(r.stat("one/fdatasync", work.Bare.Name, work.P99)))
	}
	fmt.Fprintf(&b, "Medians of %d rounds, in turn (A B C, A B C, ...), with the range in parentheses; a row that has fewer says so. Each measurement takes %v after %v that are not counted. ", r.Rounds, r.Sizes.Window, r.Sizes.Warm)
	b.WriteString("Clients run on the same cores as the broker that is measured; all other brokers are stopped (SIGSTOP) meanwhile, and what was written lies on disk before the next begins. " +
		"After each measurement of produce the acked records were compared with the end offsets; a row in which they differ, or in which a broker answered an error, has no figures.\n\n")
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "Note: %s.\n\n", n)
	}
	r.peerTable(&b)
	r.goalTable(&b)
	if remarks = strings.TrimSpace(remarks); remarks != "" {
		fmt.Fprintf(&b, "## Remarks\n\n%s\n\n", remarks)
	}
	if failed := r.failures(); len(failed) > 0 {
		b.WriteString("## Failed\n\n")
		for _, f := range failed {
			first, _, _ := strings.Cut(f.Error, "\n")
			fmt.Fprintf(&b, "- %s, %s, round %d: %s\n", f.Row, f.Peer, f.Round, first)
		}
		b.WriteString("\n")
	}
	for _, s := range r.sections() {
		r.section(&b, s)
	}
	b.WriteString("Raw measurements: [report/raw.json](report/raw.json). How to run and to read this: [README.md](README.md).\n")
	return b.String()
}

func (r Run) peerTable(b *strings.Builder) {
	b.WriteString("| broker | version | what an ack means |\n|---|---|---|\n")
	for _, p := range r.Peers {
		fmt.Fprintf(b, "| %s | %s | %s |\n", p.Name, p.Version, p.Durability)
	}
	for _, s := range r.Skipped {
		first, _, _ := strings.Cut(s.Reason, "\n")
		fmt.Fprintf(b, "| %s | not here | %s |\n", s.Name, first)
	}
	b.WriteString("\n")
}

func (r Run) goalTable(b *strings.Builder) {
	goals := r.Goals()
	var headlines []string
	count := map[string]int{}
	for _, g := range goals {
		count[g.Verdict()]++
		if g.Headline && g.Got.N > 0 {
			headlines = append(headlines, fmt.Sprintf("- %s: %s: **%s** (%s)", g.Workload, g.Text, number(g.Got.Median), g.Detail))
		}
	}
	fmt.Fprintf(b, "## Goals: %d reached, %d not reached, %d not measured\n\n%s\n\n", count["reached"], count["not reached"], count["not measured"], strings.Join(headlines, "\n"))
	b.WriteString("Each is a ratio within this run (median and range of the rounds), or a value of Leat's.\n\n| workload | goal | got | | compared |\n|---|---|---|---|---|\n")
	for _, g := range goals {
		got := "–"
		if g.Got.N > 0 {
			got = cell(g.Got)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", g.Workload, g.Text, got, g.Verdict(), g.Detail)
	}
	b.WriteString("\n")
}

func (r Run) section(b *strings.Builder, s section) {
	var tables strings.Builder
	for _, p := range s.parts {
		names := r.in(p.row)
		if len(names) == 0 {
			continue
		}
		columns := r.present(p.row, names, s.columns)
		if len(columns) == 0 {
			continue // only failures, which stand above
		}
		fmt.Fprintf(&tables, "**%s**\n\n", p.title)
		if s.plot != "" && !s.together && r.drawn(p.row, s.plot) {
			fmt.Fprintf(&tables, "![%s, %s](report/%s.svg)\n\n", s.title, p.title, plotName(p.row))
		}
		r.table(&tables, p.row, names, columns)
	}
	if tables.Len() > 0 {
		fmt.Fprintf(b, "## %s\n\n%s\n\n", s.title, s.about)
		if s.together {
			fmt.Fprintf(b, "![%s](report/%s.svg)\n\n", s.title, togetherName(s))
		}
		b.WriteString(tables.String())
	}
}

// present are the columns that anybody has a value for.
func (r Run) present(row string, names []string, columns []column) (out []column) {
	for _, c := range columns {
		for _, n := range names {
			if r.stat(row, n, c.key).N > 0 {
				out = append(out, c)
				break
			}
		}
	}
	return out
}

func (r Run) table(b *strings.Builder, row string, names []string, columns []column) {
	b.WriteString("| broker | durability | client |")
	for _, c := range columns {
		fmt.Fprintf(b, " %s |", c.title)
	}
	b.WriteString(" broker CPU s | client CPU s | rounds |\n|---|---|---|" + strings.Repeat("---|", len(columns)+3) + "\n")
	for _, n := range names {
		var any work.Result
		var broker, client []float64
		for _, res := range r.Results {
			if res.Row == row && res.Peer == n && res.Error == "" {
				any = res
				broker, client = append(broker, res.BrokerCPU), append(client, res.ClientCPU)
			}
		}
		if len(broker) == 0 {
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s |", n, any.Durability, any.Client)
		for _, c := range columns {
			fmt.Fprintf(b, " %s |", cell(r.stat(row, n, c.key)))
		}
		fmt.Fprintf(b, " %.2f | %.2f | %d |\n", newStat(broker).Median, newStat(client).Median, len(broker))
	}
	b.WriteString("\n")
}

// cell is a median with its range, if there is one.
func cell(s Stat) string {
	switch {
	case s.N == 0:
		return "–"
	case s.N == 1:
		return number(s.Median)
	default:
		return fmt.Sprintf("%s (%s–%s)", number(s.Median), number(s.Min), number(s.Max))
	}
}

// number has three digits that count, and commas.
func number(x float64) string {
	switch {
	case x >= 1e6:
		return fmt.Sprintf("%.3g M", x/1e6)
	case x >= 999.5:
		n := int(x + .5)
		return fmt.Sprintf("%d,%03d", n/1000, n%1000)
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	default:
		return fmt.Sprintf("%.2f", x)
	}
}
