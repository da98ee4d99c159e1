package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// DefaultBroker is where a broker is looked for when nobody says where.
const DefaultBroker = "localhost:9092"

// pingTimeout is how long a broker may take to answer the first request.
const pingTimeout = 10 * time.Second

// Dial returns a client of the brokers after one of them has answered. When
// none does, the error says what was wrong and what to do; advice is the
// command that would start a broker, such as "leat dev".
func Dial(ctx context.Context, brokers []string, version, advice string, opts ...kgo.Opt) (*kgo.Client, error) {
	seeds, err := Seeds(brokers)
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append(Identity(seeds, version), opts...)...)
	if err != nil {
		return nil, err
	}
	pctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := cl.Ping(pctx); err != nil {
		cl.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, Unreachable(seeds, advice, err)
	}
	return cl, nil
}

// Identity returns the options by which a client finds the seeds, and says who
// it is.
func Identity(seeds []string, version string) []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(seeds...),
		kgo.ClientID("leat"),
		kgo.SoftwareNameAndVersion("leat", version),
	}
}

// Seeds checks addresses and gives those without a port Kafka's; none at all
// means DefaultBroker.
func Seeds(brokers []string) ([]string, error) {
	if len(brokers) == 0 {
		brokers = []string{DefaultBroker}
	}
	out := make([]string, 0, len(brokers))
	for _, b := range brokers {
		b = strings.TrimSpace(b)
		if b == "" || strings.Contains(b, "://") {
			return nil, Usagef("broker address %q: want host:port, for example %s", b, DefaultBroker)
		}
		if _, _, err := net.SplitHostPort(b); err != nil {
			b = net.JoinHostPort(strings.Trim(b, "[]"), "9092")
		}
		out = append(out, b)
	}
	return out, nil
}

// Unreachable is the error for a cluster that did not answer.
func Unreachable(brokers []string, advice string, err error) error {
	at := strings.Join(brokers, ", ")
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing is listening at %s: start a broker with `%s`, or name another with -B HOST:PORT", at, advice)
	case errors.As(err, &dns):
		return fmt.Errorf("no such host: %s: check the name after -B (%w)", at, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s did not answer within %v: is it a Kafka-protocol broker, without TLS? (%w)", at, pingTimeout, err)
	}
	return fmt.Errorf("%s: %w", at, err)
}
