package flow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/leatdev/leat/pipeline"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Constructor makes a model of its declaration. The secrets of the declaration
// are resolved; its error names the option that is wrong and shows no secret.
type Constructor func(*pipeline.ModelSpec) (pipeline.Model, error)

// Config is where and with what pipelines run.
type Config struct {
	// Seeds are the brokers to ask first, host:port. Empty means that there is no
	// cluster: Explain tells less and Check, Prepare and Run are errors.
	Seeds []string
	// ClientOpts are added to every Kafka client: a dialer, TLS, SASL.
	ClientOpts []kgo.Opt
	// Protocols are the model protocols, usually Protocols(...).
	Protocols map[pipeline.Protocol]Constructor
	// LookupEnv finds the values of ${env:NAME}; os.LookupEnv when nil.
	LookupEnv func(string) (string, bool)
	// Logger is slog.Default() when nil.
	Logger *slog.Logger
}

// Flow is some pipelines and the cluster that they run on.
type Flow struct {
	cfg       Config
	pipelines []*pipeline.Pipeline

	ready chan struct{}
	mu    sync.Mutex
	steps []*running
}

// Load reads and checks pipeline files. Its error is a pipeline.Problems, or
// says which file cannot be read.
func Load(paths ...string) ([]*pipeline.Pipeline, error) {
	var files []pipeline.File
	var errs []error
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		files = append(files, pipeline.File{Name: path, Data: data})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if len(files) == 0 {
		return nil, errors.New("no pipeline file was given")
	}
	return pipeline.Parse(files...)
}

// New takes pipelines that Load or pipeline.Parse has checked. It opens no
// connection.
func New(cfg Config, pipelines []*pipeline.Pipeline) *Flow {
	if cfg.LookupEnv == nil {
		cfg.LookupEnv = os.LookupEnv
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Flow{cfg: cfg, pipelines: pipelines, ready: make(chan struct{})}
}

// errOffline is what needs a cluster when there is none.
var errOffline = errors.New("no cluster: say where one is (--kafka host:port)")

// client opens a client for questions; the caller closes it.
func (f *Flow) client(opts ...kgo.Opt) (*kgo.Client, error) {
	if len(f.cfg.Seeds) == 0 {
		return nil, errOffline
	}
	all := append([]kgo.Opt{kgo.ClientID("leat-flow"), kgo.SeedBrokers(f.cfg.Seeds...)}, f.cfg.ClientOpts...)
	return kgo.NewClient(append(all, opts...)...)
}

// withClient calls fn with a client for questions, if the cluster answers.
func (f *Flow) withClient(ctx context.Context, fn func(*kgo.Client) error) error {
	cl, err := f.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := cl.Ping(ctx); err != nil {
		return fmt.Errorf("the cluster at %v does not answer: %w", f.cfg.Seeds, err)
	}
	return fn(cl)
}
