package clients

import (
	"embed"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/leatdev/leat/test/leatproc"
)

// Client is one client and what it is able to do.
type Client struct {
	Name string
	// Codecs are the compression codecs that it has.
	Codecs []string
	// Idempotent says that it has idempotent producers.
	Idempotent bool
	// Timestamps says that a record's time can be given, NullHeaders that a header
	// may have no value, AnyBytes that values of any bytes can be sent.
	Timestamps, NullHeaders, AnyBytes bool

	// python is the version that install.sh knows; java and kcat are neither.
	python string
}

var codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// All are the clients under test.
var All = []Client{
	{Name: "kcat", Codecs: codecs, Idempotent: true, NullHeaders: true},
	{Name: "kafka-python-newest", Codecs: codecs, Idempotent: true, Timestamps: true, AnyBytes: true, python: "newest"},
	{Name: "kafka-python-2.0.2", Codecs: codecs, Timestamps: true, AnyBytes: true, python: "2.0.2"},
	{Name: "java", Codecs: codecs, Idempotent: true, Timestamps: true, NullHeaders: true, AnyBytes: true},
}

//go:embed python/requirements-newest.txt python/requirements-2.0.2.txt java/pom.xml
var required embed.FS

// Version is which version of the client is installed; kcat is the one that the
// system has.
func (c Client) Version() (string, error) {
	file, start, end := "java/pom.xml", "<artifactId>kafka-clients</artifactId>\n      <version>", "</version>"
	switch {
	case c.python != "":
		file, start, end = "python/requirements-"+c.python+".txt", "kafka-python==", "\n"
	case c.Name == "kcat":
		return "of the system (Debian 12: 1.7.1, librdkafka 2.0.2)", nil
	}
	text, err := required.ReadFile(file)
	if err != nil {
		return "", err
	}
	_, rest, ok := strings.Cut(string(text), start)
	version, _, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return "", fmt.Errorf("%s names no version", file)
	}
	return version, nil
}

// command is how the client's program is called; a machine that lacks it is
// named by a skip, or by a failure in CI.
func (c Client) command(t *testing.T) []string {
	t.Helper()
	install := func(args ...string) string {
		out, err := exec.Command("./install.sh", args...).Output()
		if err != nil {
			if e, ok := err.(*exec.ExitError); ok {
				t.Log(string(e.Stderr))
			}
			leatproc.Missing(t, c.Name, err)
		}
		return strings.TrimSpace(string(out))
	}
	switch {
	case c.python != "":
		return []string{install("python", c.python) + "/bin/python", "-u", "python/client.py"}
	case c.Name == "java":
		jars := install("java")
		return []string{"java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", jars + ":" + jars + "/*", "Client"}
	}
	if _, err := exec.LookPath("kcat"); err != nil {
		leatproc.Missing(t, c.Name, err)
	}
	return []string{"kcat"}
}

func every(Client) bool { return true }

// each runs a test for every client that it is about and that is there.
func each(t *testing.T, about func(Client) bool, test func(t *testing.T, c Client)) {
	for _, c := range All {
		if !about(c) {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.command(t)
			test(t, c)
		})
	}
}

// producer is a client that sends.
type producer struct {
	*leatproc.Process
	c Client
	// acks yields an acknowledgement per record; closed at the program's end.
	acks <-chan ack
}

// ack says where a record is. n is its place among the records that were sent,
// -1 where the client does not say.
type ack struct {
	n, partition int
	offset       int64
}

// produce starts a producer. Idempotent is passed over by clients that have no such producers.
func (c Client) produce(t *testing.T, s *leatproc.Server, topic, codec string, idempotent bool) *producer {
	t.Helper()
	if !slices.Contains(c.Codecs, codec) {
		t.Fatalf("%s has no codec %s", c.Name, codec)
	}
	if c.Name == "kcat" {
		return c.kcatProducer(t, s, kcatOptions(codec, idempotent), topic)
	}
	command := append(c.command(t), "produce", s.Addr, topic, codec, map[bool]string{true: "true", false: "false"}[idempotent])
	p := leatproc.Run(t, "", command[0], command[1:]...)
	return &producer{Process: p, c: c, acks: acksOf(t, p, lineAck)}
}

// acksOf reads the acknowledgements among a program's lines.
func acksOf(t *testing.T, p *leatproc.Process, read func(string) (ack, bool, error)) <-chan ack {
	acks := make(chan ack, 4096)
	go func() {
		defer close(acks)
		for line := range p.Stdout {
			a, ok, err := read(line)
			if err != nil {
				t.Errorf("%s: %v", p.Name, err)
			}
			if !ok {
				continue
			}
			select {
			case acks <- a:
			case <-t.Context().Done():
				return
			}
		}
	}()
	return acks
}

// send hands a record to the client.
func (p *producer) send(t *testing.T, r record) {
	t.Helper()
	line := r.line() + "\n"
	if p.c.Name == "kcat" {
		line = string(r.key) + kcatKeyEnd + string(r.value) + kcatRecordEnd
	}
	if _, err := p.Stdin.Write([]byte(line)); err != nil {
		t.Fatalf("%s takes no more records: %v\n%s", p.Name, err, p.Tail())
	}
}

// consumer is a client that reads as a member of a group.
type consumer struct {
	*leatproc.Process
	c       Client
	records <-chan record
}

// consume starts a member of a group.
func (c Client) consume(t *testing.T, s *leatproc.Server, group string, topics ...string) *consumer {
	t.Helper()
	if c.Name == "kcat" {
		return c.kcatConsumer(t, s, group, topics)
	}
	command := append(c.command(t), "consume", s.Addr, group, strings.Join(topics, ","))
	p := leatproc.Run(t, "", command[0], command[1:]...)
	return &consumer{Process: p, c: c, records: recordsOf(t, p, lineRecord)}
}

func recordsOf(t *testing.T, p *leatproc.Process, read func(string) (record, error)) <-chan record {
	records := make(chan record, 4096)
	go func() {
		defer close(records)
		for line := range p.Stdout {
			r, err := read(line)
			if err != nil {
				t.Errorf("%s: %v", p.Name, err)
				continue
			}
			select {
			case records <- r:
			case <-t.Context().Done():
				return
			}
		}
	}()
	return records
}
