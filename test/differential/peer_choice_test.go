package differential

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/leatdev/leat/test/divergence"
	"github.com/leatdev/leat/test/kafkaproc"
)

// peer is the broker that Leat is compared with.
type peer struct {
	name string // "kafka" or "kfake"
	addr string
	// times is how many times as many sequences are played: many end soon with kfake,
	// which is fast.
	times int
	stop  func()
	// differs are the differences that a test shows.
	differs func(test string) []divergence.Wire
}

// besideKfake are the tests in which kfake can be the peer: where nobody has thought of
// each request, the differences can be told by kinds.
var besideKfake = map[string]bool{"TestRandomSequences": true, "TestRandomTransactions": true}

// notOfKfake are the kinds of steps in which kfake is too far from Kafka to be compared.
var notOfKfake = map[string]string{
	"describe configs": "it has fewer configs, and tells of less for each",
	"log dirs":         "it has no files",
	"describe":         "a transaction that has ended is as if it had never been",
}

// plays are those of some kinds of steps that the peer can be asked for.
func (p peer) plays(all []op) (some []op) {
	for _, o := range all {
		if p.name != "kfake" || notOfKfake[o.name] == "" {
			some = append(some, o)
		}
	}
	return some
}

var (
	thePeer  = sync.OnceValues(startPeer)
	stopPeer = func() {}
)

// TestMain ends the peer after the last test.
func TestMain(m *testing.M) {
	code := m.Run()
	stopPeer()
	os.Exit(code)
}

// startPeer starts what LEAT_PEER says: kafka, kfake, or by itself kafka where there is
// java, else kfake. LEAT_KAFKA is the address of a Kafka that runs already.
func startPeer() (p peer, err error) {
	defer func() {
		if err == nil {
			stopPeer = p.stop
		}
	}()
	name := os.Getenv("LEAT_PEER")
	if name == "" {
		name = "kafka"
		if _, err := exec.LookPath("java"); err != nil && os.Getenv("LEAT_KAFKA") == "" && os.Getenv("LEAT_REQUIRE") == "" {
			name = "kfake"
		}
	}
	switch name {
	case "kafka":
		return startKafka()
	case "kfake":
		return startKfake()
	}
	return peer{}, fmt.Errorf("LEAT_PEER is %q: it can be kafka or kfake", name)
}

func startKafka() (peer, error) {
	p := peer{name: "kafka", times: 1, addr: os.Getenv("LEAT_KAFKA"), stop: func() {}, differs: divergence.Of}
	if p.addr != "" {
		return p, nil
	}
	// Its controller writes at once: otherwise every change takes it 25 ms.
	k, err := kafkaproc.Run("controller.quorum.append.linger.ms=0")
	if err != nil {
		return peer{}, err
	}
	p.addr, p.stop = k.Addr, k.Remove
	return p, nil
}

// startKfake starts franz-go's broker for tests in this process. It has one goroutine
// and no disk, and was written from Kafka's sources by somebody else.
func startKfake() (peer, error) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1))
	if err != nil {
		return peer{}, err
	}
	return peer{name: "kfake", times: 5, addr: cluster.ListenAddrs()[0], stop: cluster.Close, differs: divergence.OfKfake}, nil
}
