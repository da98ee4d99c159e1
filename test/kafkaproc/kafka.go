// Package kafkaproc runs an Apache Kafka for tests: one broker that is its own
// controller, in a scratch directory, from the jars in KAFKA_LIBS (or
// ~/.cache/kafka-*/libs, or wherever Maven gets them).
package kafkaproc

import (
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// patience is how long Kafka may take until it listens.
const patience = time.Minute

// clusterID is any, in the form that Kafka's storage tool wants.
const clusterID = "bGVhdC1kaWZmZXJlbnQtMQ"

//go:embed pom.xml
var pomXML []byte

// Kafka is an Apache Kafka that runs.
type Kafka struct {
	// Addr is where it listens; Logs is the directory of its partitions.
	Addr, Logs string

	dir    string
	broker *exec.Cmd
	ended  chan struct{}
}

// Start starts a Kafka of its own. stop ends it and removes its data. The error
// says what is missing on this machine.
func Start() (addr string, stop func(), err error) {
	k, err := Run()
	if err != nil {
		return "", nil, err
	}
	return k.Addr, k.Remove, nil
}

// Run is Start with further lines for server.properties, of a Kafka whose files can be
// looked at.
func Run(more ...string) (_ *Kafka, err error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, errors.New("there is no java")
	}
	libs, err := Jars()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "leat-kafka")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	controller, err := freePort()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "server.properties")
	text := properties(dir, port, controller) + strings.Join(more, "\n") + "\n"
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return nil, err
	}
	format := exec.Command(java, "-cp", filepath.Join(libs, "*"), "kafka.tools.StorageTool", "format", "-t", clusterID, "-c", config)
	if out, err := format.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("kafka's storage tool: %w\n%s", err, out)
	}
	k := &Kafka{Addr: fmt.Sprintf("127.0.0.1:%d", port), Logs: filepath.Join(dir, "data"), dir: dir, ended: make(chan struct{})}
	k.broker = exec.Command(java, "-Xms256m", "-Xmx512m", "-cp", filepath.Join(libs, "*"), "kafka.Kafka", config)
	k.broker.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := k.broker.Start(); err != nil {
		return nil, err
	}
	go func() { _ = k.broker.Wait(); close(k.ended) }()
	for deadline := time.After(patience); ; {
		if nc, err := net.Dial("tcp", k.Addr); err == nil {
			_ = nc.Close()
			return k, nil
		}
		select {
		case <-k.ended:
			k.Remove()
			return nil, errors.New("kafka ended at its start")
		case <-deadline:
			k.Remove()
			return nil, errors.New("kafka does not listen")
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Stop stops it properly; its files stay until Remove.
func (k *Kafka) Stop() error {
	if err := k.broker.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-k.ended:
		return nil
	case <-time.After(patience):
		return errors.New("kafka does not stop")
	}
}

// Remove ends it and removes its files.
func (k *Kafka) Remove() {
	_ = k.broker.Process.Kill() // it may have ended by itself
	<-k.ended
	_ = os.RemoveAll(k.dir)
}

// Jars finds the folder with Kafka's jars, and gets them if Maven is there.
func Jars() (string, error) {
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
	scratch, err := os.MkdirTemp("", "leat-kafka-pom")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	pom := filepath.Join(scratch, "pom.xml")
	if err := os.WriteFile(pom, pomXML, 0o644); err != nil {
		return "", err
	}
	out, err := exec.Command(mvn, "-q", "-B", "-f", pom, "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+dir).CombinedOutput()
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
group.initial.rebalance.delay.ms=0
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
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
