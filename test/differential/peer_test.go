package differential

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
)

// patience bounds every wait for the other side: nothing here takes long.
const patience = 30 * time.Second

var (
	kafkaAddr = sync.OnceValues(findKafka)
	stopKafka = func() {}
)

// TestMain ends Kafka after the last test.
func TestMain(m *testing.M) {
	code := m.Run()
	stopKafka()
	os.Exit(code)
}

// findKafka returns the address of a Kafka, starting one if need be.
func findKafka() (string, error) {
	if addr := os.Getenv("LEAT_KAFKA"); addr != "" {
		return addr, nil
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", errors.New("there is no java")
	}
	libs, err := jars()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "leat-kafka")
	if err != nil {
		return "", err
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	controller, err := freePort()
	if err != nil {
		return "", err
	}
	config := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(config, []byte(properties(dir, port, controller)), 0o644); err != nil {
		return "", err
	}
	format := exec.Command(java, "-cp", filepath.Join(libs, "*"), "kafka.tools.StorageTool", "format", "-t", "bGVhdC1kaWZmZXJlbnQtMQ", "-c", config)
	if out, err := format.CombinedOutput(); err != nil {
		return "", fmt.Errorf("kafka's storage tool: %w\n%s", err, out)
	}
	broker := exec.Command(java, "-Xms256m", "-Xmx256m", "-cp", filepath.Join(libs, "*"), "kafka.Kafka", config)
	broker.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := broker.Start(); err != nil {
		return "", err
	}
	ended := make(chan struct{})
	go func() { broker.Wait(); close(ended) }()
	stopKafka = func() {
		broker.Process.Kill()
		<-ended
		os.RemoveAll(dir)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	for deadline := time.After(2 * patience); ; {
		if nc, err := net.Dial("tcp", addr); err == nil {
			nc.Close()
			return addr, nil
		}
		select {
		case <-ended:
			return "", errors.New("kafka ended at its start")
		case <-deadline:
			return "", errors.New("kafka does not listen")
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// jars finds the folder with Kafka's jars, and gets them if Maven is there.
func jars() (string, error) {
	dirs := []string{os.Getenv("KAFKA_LIBS")}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(cache, "kafka-*", "libs"))
	if err != nil {
		return "", err
	}
	for _, dir := range append(dirs, found...) {
		if some, _ := filepath.Glob(filepath.Join(dir, "kafka_2.13-*.jar")); dir != "" && len(some) > 0 {
			return dir, nil
		}
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", errors.New("there are no jars of Kafka in KAFKA_LIBS or ~/.cache/kafka-*/libs, and no mvn to get them")
	}
	dir := filepath.Join(cache, "kafka-4.3.1", "libs")
	out, err := exec.Command(mvn, "-q", "-B", "-f", "pom.xml", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+dir).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("mvn cannot get Kafka: %w\n%s", err, out)
	}
	return dir, nil
}

func properties(dir string, port, controller int) string {
	return fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=%[3]s/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
num.network.threads=2
num.io.threads=2
`, port, controller, dir)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// sides returns connections to both, or skips by name what is missing.
func sides(t *testing.T) (kafka, ours *side) {
	t.Helper()
	addr, err := kafkaAddr()
	if err != nil {
		if os.Getenv("LEAT_REQUIRE") != "" {
			t.Fatal("Apache Kafka: ", err)
		}
		t.Skip("not run, Apache Kafka is missing: ", err)
	}
	srv, err := leat.Open(t.Context(), leat.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	kafka, ours = newSide(t, "kafka", addr), newSide(t, "leat", srv.Addr())
	return kafka, ours
}

// side is one of the two brokers, and a connection to it.
type side struct {
	t    *testing.T
	name string
	addr string
	nc   net.Conn
	corr int32
	wait time.Duration // for an answer
}

func newSide(t *testing.T, name, addr string) *side {
	s := &side{t: t, name: name, addr: addr, wait: patience}
	s.dial()
	t.Cleanup(func() { s.nc.Close() })
	return s
}

func (s *side) dial() {
	s.t.Helper()
	nc, err := net.DialTimeout("tcp", s.addr, patience)
	if err != nil {
		s.t.Fatal(s.name, err)
	}
	s.nc = nc
}

// send writes a request.
func (s *side) send(req kmsg.Request, version int16) {
	s.t.Helper()
	req.SetVersion(version)
	s.corr++
	s.nc.SetDeadline(time.Now().Add(s.wait))
	if _, err := s.nc.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("differential")).AppendRequest(nil, req, s.corr)); err != nil {
		s.t.Fatal(s.name, err)
	}
}

var (
	errClosed = errors.New("the connection was closed")
	errSilent = errors.New("no answer")
)

// receive reads the answer to req.
func (s *side) receive(req kmsg.Request) (kmsg.Response, error) {
	s.t.Helper()
	var head [8]byte
	_, err := io.ReadFull(s.nc, head[:])
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		s.nc.Close()
		s.dial()
		return nil, errClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.nc.Close()
		s.dial()
		return nil, errSilent
	case err != nil:
		s.t.Fatalf("%s: %T: %v", s.name, req, err)
	}
	if corr := int32(binary.BigEndian.Uint32(head[4:])); corr != s.corr {
		s.t.Fatalf("%s: answer %d to request %d", s.name, corr, s.corr)
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:])-4)
	if _, err := io.ReadFull(s.nc, body); err != nil {
		s.t.Fatal(s.name, err)
	}
	resp := req.ResponseKind()
	if resp.IsFlexible() && resp.Key() != 18 {
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		s.t.Fatalf("%s: %T: %v", s.name, resp, err)
	}
	return resp, nil
}

// ask sends a request whose answer is not compared.
func ask[A kmsg.Response](s *side, req kmsg.Request, version int16) A {
	s.t.Helper()
	s.send(req, version)
	resp, err := s.receive(req)
	if err != nil {
		s.t.Fatalf("%s: %T: %v", s.name, req, err)
	}
	return resp.(A)
}

// createTopic makes a topic and waits until it can be used; it returns its id and
// leader epoch.
func (s *side) createTopic(name string, partitions int32, configs ...string) (id [16]byte, epoch int32) {
	s.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = int32(patience.Milliseconds())
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = name, partitions, 1
	for _, c := range configs {
		k, v, _ := strings.Cut(c, "=")
		rc := kmsg.NewCreateTopicsRequestTopicConfig()
		rc.Name, rc.Value = k, &v
		rt.Configs = append(rt.Configs, rc)
	}
	req.Topics = append(req.Topics, rt)
	if code := ask[*kmsg.CreateTopicsResponse](s, req, 7).Topics[0].ErrorCode; code != 0 {
		s.t.Fatalf("%s: topic %s: error %d", s.name, name, code)
	}
	meta := kmsg.NewPtrMetadataRequest()
	mt := kmsg.NewMetadataRequestTopic()
	mt.Topic = &name
	meta.Topics = append(meta.Topics, mt)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		topic := ask[*kmsg.MetadataResponse](s, meta, 12).Topics[0]
		ready := topic.ErrorCode == 0
		for _, p := range topic.Partitions {
			ready = ready && p.ErrorCode == 0
		}
		if !ready {
			continue
		}
		// The metadata may be there before the partitions are.
		for _, p := range topic.Partitions {
			ready = ready && ask[*kmsg.ListOffsetsResponse](s, listOffsets(name, p.Partition, -1, -1), 7).Topics[0].Partitions[0].ErrorCode == 0
		}
		if ready {
			return topic.TopicID, topic.Partitions[0].LeaderEpoch
		}
	}
	s.t.Fatalf("%s: topic %s is never ready", s.name, name)
	return id, 0
}
