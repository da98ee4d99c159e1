// Package kfake has the part of the API of franz-go's kfake that the
// client-integration tests in its module use, and puts a `leat serve` process
// of its own behind every cluster instead of a fake. The tests are compiled
// against it as they are (see the package around this folder).
//
// Clients reach the process through a proxy, which is what lets a test look at
// requests, or answer one, as kfake's control functions do.
package kfake

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Program is the environment variable that names the leat program.
const Program = "LEAT_PORTED_PROGRAM"

// Opt is an option of NewCluster.
type Opt struct{ apply func(*options) }

type options struct {
	configs map[string]string
	topics  []seed
}

type seed struct {
	name       string
	partitions int32
}

// NumBrokers is there because the tests give it: there is one broker, whatever n
// is. A test that needs several is in the list of those that are not started.
func NumBrokers(int) Opt { return Opt{func(*options) {}} }

// SeedTopics creates topics before NewCluster returns.
func SeedTopics(partitions int32, names ...string) Opt {
	return Opt{func(o *options) {
		for _, n := range names {
			o.topics = append(o.topics, seed{n, partitions})
		}
	}}
}

// BrokerConfigs sets configs of the broker, with Kafka's names.
func BrokerConfigs(configs map[string]string) Opt {
	return Opt{func(o *options) {
		for k, v := range configs {
			o.configs[k] = v
		}
	}}
}

// Cluster is a leat process with the proxy before it.
type Cluster struct {
	listener net.Listener
	upstream string
	leat     *exec.Cmd
	data     string
	close    sync.Once
	serving  sync.WaitGroup
	adm      *kadm.Client

	mu       sync.Mutex
	conns    map[net.Conn]bool
	closed   bool
	controls []*control
	faults   []*fault
}

// leastOf are the bounds that a broker, Kafka too, holds a config to. kfake has
// none, and the tests want less.
var leastOf = map[string]string{
	"group.consumer.heartbeat.interval.ms": "group.consumer.min.heartbeat.interval.ms",
	"group.consumer.session.timeout.ms":    "group.consumer.min.session.timeout.ms",
}

// NewCluster starts a broker on an empty directory.
func NewCluster(opts ...Opt) (_ *Cluster, err error) {
	o := options{configs: map[string]string{
		"group.initial.rebalance.delay.ms": "0", // kfake has no such delay
	}}
	for _, opt := range opts {
		opt.apply(&o)
	}
	for config, bound := range leastOf {
		if v, ok := o.configs[config]; ok {
			o.configs[bound] = v
		}
	}
	c := &Cluster{conns: map[net.Conn]bool{}}
	if c.data, err = os.MkdirTemp("", "leat-ported"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if c.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	if err := c.start(o.configs); err != nil {
		return nil, err
	}
	c.serving.Go(c.accept)
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.upstream))
	if err != nil {
		return nil, err
	}
	c.adm = kadm.NewClient(cl)
	for _, s := range o.topics {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		resp, err := c.adm.CreateTopics(ctx, s.partitions, 1, nil, s.name)
		cancel()
		if err == nil {
			err = resp.Error()
		}
		if err != nil {
			return nil, fmt.Errorf("creating topic %s: %w", s.name, err)
		}
	}
	return c, nil
}

// patience is how long the broker may take for its start, and for a call of this package.
const patience = 30 * time.Second

// start runs the process until it says where it listens. What it writes goes to
// the tests' standard error from then on.
func (c *Cluster) start(configs map[string]string) error {
	program := os.Getenv(Program)
	if program == "" {
		return fmt.Errorf("%s must name the leat program", Program)
	}
	args := []string{"serve", "--data", c.data, "--listen", "127.0.0.1:0", "--advertise", c.listener.Addr().String(), "--log-format", "json"}
	for k, v := range configs {
		args = append(args, "-c", k+"="+v)
	}
	leat := exec.Command(program, args...)
	stderr, err := leat.StderrPipe()
	if err == nil {
		err = leat.Start()
	}
	if err != nil {
		return err
	}
	c.leat = leat
	listens := make(chan string, 1)
	go func() {
		defer close(listens)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			var line struct{ Msg, Listeners string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && strings.Contains(line.Msg, "Transitioning from RECOVERY to RUNNING") {
				listens <- strings.TrimPrefix(line.Listeners, "PLAINTEXT://")
				continue
			}
			fmt.Fprintln(os.Stderr, "leat:", lines.Text())
		}
	}()
	select {
	case at, ok := <-listens:
		if !ok {
			return fmt.Errorf("leat has ended at its start: %v", args)
		}
		c.upstream = at
		return nil
	case <-time.After(patience):
		return fmt.Errorf("leat does not listen after %v", patience)
	}
}

// ListenAddrs are the addresses of the brokers.
func (c *Cluster) ListenAddrs() []string { return []string{c.listener.Addr().String()} }

// Close ends the broker and removes its data.
func (c *Cluster) Close() {
	c.close.Do(func() {
		if c.listener != nil {
			_ = c.listener.Close()
		}
		c.mu.Lock()
		c.closed = true
		for nc := range c.conns {
			_ = nc.Close()
		}
		c.mu.Unlock()
		if c.adm != nil {
			c.adm.Close()
		}
		c.serving.Wait()
		if c.leat != nil {
			_ = c.leat.Process.Kill()
			_ = c.leat.Wait() // its exit code says that it was killed
		}
		_ = os.RemoveAll(c.data)
	})
}
