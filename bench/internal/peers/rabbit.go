package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// rabbitScript is RabbitMQ's own start script in Debian's package; the one in PATH
// changes the user and needs its fixed folders.
const rabbitScript = "/usr/lib/rabbitmq/bin/rabbitmq-server"

func rabbitReady(_ context.Context, addr string) error {
	c, err := amqp.DialConfig("amqp://guest:guest@"+addr+"/", amqp.Config{Dial: amqp.DefaultDial(2 * time.Second)})
	if err != nil {
		return err
	}
	return c.Close()
}

// findRabbit looks for Debian's rabbitmq-server. It runs on loopback only, with
// all of its files below the data directory.
func findRabbit(context.Context, string) ([]Peer, error) {
	if _, err := os.Stat(rabbitScript); err != nil {
		return nil, errors.New("not installed (Debian's package rabbitmq-server)")
	}
	version := "version unknown"
	if found, _ := filepath.Glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*"); len(found) > 0 { // the pattern is well formed
		version = strings.TrimPrefix(filepath.Base(found[0]), "rabbitmq_server-")
	}
	return []Peer{{
		Name: "rabbitmq", Version: version, Protocol: AMQP, Durability: "fsync before the confirm (quorum queue)", Durable: true, ready: rabbitReady,
		prepare: func(_ context.Context, dir string, port int, _ bool) error {
			config := fmt.Sprintf("listeners.tcp.1 = 127.0.0.1:%d\nloopback_users.guest = true\n", port)
			return os.WriteFile(filepath.Join(dir, "rabbitmq.conf"), []byte(config), 0o644)
		},
		command: func(dir string, port int) *exec.Cmd {
			cmd := exec.Command(rabbitScript)
			cmd.Env = append(os.Environ(), "HOME="+dir,
				"RABBITMQ_NODENAME="+fmt.Sprintf("bench%d@localhost", port), "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT="+fmt.Sprint(port),
				"RABBITMQ_DIST_PORT="+fmt.Sprint(port+1), "ERL_EPMD_ADDRESS=127.0.0.1", "ERL_EPMD_PORT="+fmt.Sprint(port+2),
				"RABBITMQ_CONFIG_FILE="+filepath.Join(dir, "rabbitmq"), "RABBITMQ_CONF_ENV_FILE="+filepath.Join(dir, "env"),
				"RABBITMQ_MNESIA_BASE="+filepath.Join(dir, "data"), "RABBITMQ_LOG_BASE="+filepath.Join(dir, "log"),
				"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(dir, "plugins"), "RABBITMQ_PID_FILE="+filepath.Join(dir, "pid"),
				"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}")
			return cmd
		},
		inner: "beam.smp",
		// The node started a port mapper, which stays when the node has ended.
		after: func(port int) error {
			out, err := exec.Command("epmd", "-port", fmt.Sprint(port+2), "-kill").CombinedOutput()
			if err != nil {
				err = fmt.Errorf("end epmd: %w: %s", err, out)
			}
			return err
		},
	}}, nil
}
