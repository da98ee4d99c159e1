package clients

import (
	"embed"
	"fmt"
	"os"
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
	// EmptyHeaders says that it hands out a header without a value as one whose value
	// is empty, NoEmptyValues that it sends null for a value that is empty.
	EmptyHeaders, NoEmptyValues bool

	// Consumer says that it has groups of KIP-848, ReadCommitted that it can leave
	// out what was aborted, Transactions that it has transactions.
	Consumer, ReadCommitted, Transactions bool
	// Forgets says why its transactions are not tried across a kill of the broker;
	// empty for those that are.
	Forgets string
	// Share says that it has share groups.
	Share bool
	// Admin says that its program does administration.
	Admin bool

	// install are the arguments of install.sh; none for kcat.
	install []string
	// start is how the program starts where installed is.
	start func(installed string) []string
	// file says the version, between from and to; empty for kcat.
	file, from, to string
}

var codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// All are the clients under test.
var All = []Client{
	{Name: "kcat", Codecs: codecs, Idempotent: true, NullHeaders: true, ReadCommitted: true},
	pythonClient(Client{Name: "confluent-kafka-python", Codecs: codecs, Idempotent: true, Timestamps: true, NullHeaders: true, AnyBytes: true,
		Consumer: true, ReadCommitted: true, Transactions: true, Share: true, Admin: true}, "confluent", "confluent.py", "confluent-kafka"),
	goClient(Client{Name: "confluent-kafka-go", Codecs: codecs, Idempotent: true, Timestamps: true, NullHeaders: true, AnyBytes: true,
		Consumer: true, ReadCommitted: true, Transactions: true}, "confluent", "github.com/confluentinc/confluent-kafka-go/v2"),
	goClient(Client{Name: "sarama", Codecs: codecs, Idempotent: true, Timestamps: true, NullHeaders: true, AnyBytes: true,
		ReadCommitted: true, Transactions: true, Admin: true}, "sarama", "github.com/IBM/sarama"),
	// What the LZ4 of pure JavaScript writes, Apache's client cannot read: blocks that depend on each other.
	nodeClient(Client{Name: "kafkajs", Codecs: []string{"none", "gzip", "snappy", "zstd"}, Idempotent: true, Timestamps: true, AnyBytes: true,
		ReadCommitted: true, Transactions: true, Admin: true}, "kafkajs", "kafkajs"),
	nodeClient(Client{Name: "confluent-kafka-javascript", Codecs: codecs, Idempotent: true, Timestamps: true, AnyBytes: true, EmptyHeaders: true, NoEmptyValues: true,
		Consumer: true, ReadCommitted: true, Transactions: true, Admin: true}, "confluent", "@confluentinc/kafka-javascript"),
	pythonClient(Client{Name: "kafka-python-newest", Codecs: codecs, Idempotent: true, Timestamps: true, AnyBytes: true,
		ReadCommitted: true, Transactions: true,
		Forgets: "a request of a transaction whose connection ends as it is to be sent is never sent"}, "newest", "client.py", "kafka-python"),
	pythonClient(Client{Name: "kafka-python-2.0.2", Codecs: codecs, Timestamps: true, AnyBytes: true}, "2.0.2", "client.py", "kafka-python"),
	{Name: "java", Codecs: codecs, Idempotent: true, Timestamps: true, NullHeaders: true, AnyBytes: true, Consumer: true, ReadCommitted: true,
		Transactions: true, install: []string{"java"}, start: java, file: "java/pom.xml", from: "<artifactId>kafka-clients</artifactId>\n      <version>", to: "</version>"},
}

func pythonClient(c Client, environment, program, pkg string) Client {
	c.install = []string{"python", environment}
	c.start = func(venv string) []string { return []string{venv + "/bin/python", "-u", "python/" + program} }
	c.file, c.from, c.to = "python/requirements-"+environment+".txt", pkg+"==", "\n"
	return c
}

func nodeClient(c Client, program, pkg string) Client {
	c.install = []string{"node", program}
	c.start = func(modules string) []string { return []string{"node", modules + "/" + program + ".js"} }
	c.file, c.from, c.to = "node/"+program+"/package.json", `"`+pkg+`": "`, `"`
	return c
}

func goClient(c Client, program, module string) Client {
	c.install = []string{"go", program}
	c.start = func(bin string) []string { return []string{bin} }
	c.file, c.from, c.to = "golang/go.mod", module+" v", "\n"
	return c
}

func java(jars string) []string {
	return []string{"java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-cp", jars + ":" + jars + "/*", "Client"}
}

//go:embed python/requirements-*.txt java/pom.xml node/*/package.json
var required embed.FS

// goMod is golang/go.mod, which go:embed cannot reach: it is a module's border.
// The file lies two folders up from the packages that ask.
const goMod = "../clients/golang/go.mod"

// Version is which version of the client is installed; kcat is the one that the
// system has.
func (c Client) Version() (string, error) {
	if c.file == "" {
		return "of the system (Debian 12: 1.7.1, librdkafka 2.0.2)", nil
	}
	text, err := required.ReadFile(c.file)
	if c.file == "golang/go.mod" {
		text, err = os.ReadFile(goMod)
	}
	if err != nil {
		return "", err
	}
	_, rest, ok := strings.Cut(string(text), c.from)
	version, _, ok2 := strings.Cut(rest, c.to)
	if !ok || !ok2 {
		return "", fmt.Errorf("%s names no version", c.file)
	}
	return version, nil
}

// command is how the client's program is called; a machine that lacks it is
// named by a skip, or by a failure in CI.
func (c Client) command(t *testing.T) []string {
	t.Helper()
	if c.install == nil {
		if _, err := exec.LookPath("kcat"); err != nil {
			leatproc.Missing(t, c.Name, err)
		}
		return []string{"kcat"}
	}
	out, err := exec.Command("./install.sh", c.install...).Output()
	if err != nil {
		if e, ok := err.(*exec.ExitError); ok {
			t.Log(string(e.Stderr))
		}
		leatproc.Missing(t, c.Name, err)
	}
	return c.start(strings.TrimSpace(string(out)))
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

// eachGroup is each for every protocol of groups that a client has.
func eachGroup(t *testing.T, about func(Client) bool, test func(t *testing.T, c Client, protocol string)) {
	for _, c := range All {
		if !about(c) {
			continue
		}
		for _, protocol := range c.protocols() {
			t.Run(c.Name+"/"+protocol, func(t *testing.T) {
				t.Parallel()
				c.command(t)
				test(t, c, protocol)
			})
		}
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

// The protocols of groups.
const (
	classic = "classic"
	kip848  = "consumer"
)

// protocols are those that the client has.
func (c Client) protocols() []string {
	if c.Consumer {
		return []string{classic, kip848}
	}
	return []string{classic}
}

// The isolation levels of readers.
const (
	uncommitted = "read_uncommitted"
	committed   = "read_committed"
)

// consume starts a member of a group.
func (c Client) consume(t *testing.T, s *leatproc.Server, group, protocol, isolation string, topics ...string) *consumer {
	t.Helper()
	if c.Name == "kcat" {
		return c.kcatConsumer(t, s, group, isolation, topics)
	}
	command := append(c.command(t), "consume", s.Addr, group, strings.Join(topics, ","), protocol, isolation)
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
