package clients

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/leatproc"
)

// What ends a key and a record on kcat's input; it has one byte for each.
const (
	kcatKeyEnd    = "\x1f"
	kcatRecordEnd = "\x1e"
)

func kcatOptions(codec string, idempotent bool) []string {
	// -E: a broker that is away for a moment is no reason to end.
	return []string{"-E", "-X", "compression.codec=" + codec, "-X", "enable.idempotence=" + strconv.FormatBool(idempotent),
		"-X", "linger.ms=5", "-X", "topic.produce.offset.report=true", "-X", "reconnect.backoff.max.ms=1000"}
}

// kcatProducer runs kcat on its input. It says where records are only in its
// log, and not which ones.
func (c Client) kcatProducer(t *testing.T, s *leatproc.Server, options []string, topic string) *producer {
	t.Helper()
	args := append([]string{"-c", `exec kcat "$@" 2>&1`, "kcat", "-P", "-vvv", "-b", s.Addr, "-t", topic, "-D", `\x1e`, "-K", `\x1f`}, options...)
	p := leatproc.Run(t, "", "sh", args...)
	return &producer{Process: p, c: c, acks: acksOf(t, p, kcatAck)}
}

func kcatAck(line string) (ack, bool, error) {
	a := ack{n: -1}
	if _, err := fmt.Sscanf(line, "%% Message delivered to partition %d (offset %d)", &a.partition, &a.offset); err == nil {
		return a, true, nil
	}
	if strings.Contains(line, "Delivery failed") {
		return ack{}, false, fmt.Errorf("not acknowledged: %s", line)
	}
	return ack{}, false, nil // about connections
}

// kcatSend sends records of one partition and one set of headers, and of which
// all or none have no key, all or none no value: one call of kcat.
func (c Client) kcatSend(t *testing.T, s *leatproc.Server, topic, codec string, records []record) int {
	t.Helper()
	first := records[0]
	options := append(kcatOptions(codec, false), "-p", strconv.Itoa(first.partition))
	for _, h := range first.headers {
		text := h.Key
		if h.Value != nil {
			text += "=" + string(h.Value)
		}
		options = append(options, "-H", text)
	}
	if first.value == nil {
		options = append(options, "-Z")
	}
	p := c.kcatProducer(t, s, options, topic)
	for _, r := range records {
		key := string(r.key) + kcatKeyEnd
		if r.key == nil {
			key = ""
		}
		if _, err := io.WriteString(p.Stdin, key+string(r.value)+kcatRecordEnd); err != nil {
			t.Fatalf("kcat: %v\n%s", err, p.Tail())
		}
	}
	_ = p.Stdin.Close()
	n := 0
	for range p.acks {
		n++
	}
	if err := p.Wait(wait); err != nil {
		t.Error(err)
	}
	return n
}

// kcatGroups divides records so that kcatSend can take each group.
func kcatGroups(records []record) [][]record {
	var order []string
	groups := map[string][]record{}
	for _, r := range records {
		name := fmt.Sprint(r.partition, r.headers, r.key == nil, r.value == nil)
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
		groups[name] = append(groups[name], r)
	}
	var all [][]record
	for _, name := range order {
		all = append(all, groups[name])
	}
	return all
}

func (c Client) kcatConsumer(t *testing.T, s *leatproc.Server, group, isolation string, topics []string) *consumer {
	t.Helper()
	args := []string{"-E", "-u", "-b", s.Addr, "-G", group, "-f", `%t\t%p\t%o\t%T\t%K\t%S\n%k%s%h\x1d\x01\x1e\n`,
		"-X", "auto.offset.reset=earliest", "-X", "isolation.level=" + isolation, "-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=500",
		"-X", "auto.commit.interval.ms=200", "-X", "topic.metadata.refresh.interval.ms=1000", "-X", "reconnect.backoff.max.ms=1000"}
	p := leatproc.RunFramed(t, kcatFrame, "", "kcat", append(args, topics...)...)
	return &consumer{Process: p, c: c, records: recordsOf(t, p, kcatRecord)}
}

// kcatFrame reads one record that kcat printed: a line with the sizes, key,
// value, and headers, whose length kcat does not say, up to kcatEnd.
func kcatFrame(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
	if err != nil || len(f) != 6 {
		return line, err
	}
	key, _ := strconv.Atoi(f[4])
	value, _ := strconv.Atoi(f[5])
	rest := make([]byte, max(0, key)+max(0, value))
	_, err = io.ReadFull(r, rest)
	for err == nil && !strings.HasSuffix(string(rest[max(0, len(rest)-len(kcatEnd)):]), kcatEnd) {
		var more []byte
		more, err = r.ReadBytes('\n')
		rest = append(rest, more...)
	}
	return line + string(rest), err
}

const kcatEnd = "\x1d\x01\x1e\n"

func kcatRecord(frame string) (record, error) {
	line, data, _ := strings.Cut(strings.TrimSuffix(frame, kcatEnd), "\n")
	f := strings.Split(line, "\t")
	if len(f) != 6 {
		return record{}, fmt.Errorf("%q is no record", line)
	}
	var n [5]int64
	for i := range n {
		var err error
		if n[i], err = strconv.ParseInt(f[i+1], 10, 64); err != nil {
			return record{}, fmt.Errorf("%q: %w", line, err)
		}
	}
	r := record{topic: f[0], partition: int(n[0]), offset: n[1], time: n[2]}
	if n[3] >= 0 {
		r.key = []byte(data[:n[3]])
		data = data[n[3]:]
	}
	if n[4] >= 0 {
		r.value = []byte(data[:n[4]])
		data = data[n[4]:]
	}
	r.headerText = &data
	return r, nil
}

// kcatHeaders is how kcat prints headers: as strings of C, which end at a zero byte.
func kcatHeaders(headers []kgo.RecordHeader) string {
	var parts []string
	for _, h := range headers {
		value := "NULL"
		if h.Value != nil {
			value, _, _ = strings.Cut(string(h.Value), "\x00")
		}
		parts = append(parts, h.Key+"="+value)
	}
	return strings.Join(parts, ",")
}
