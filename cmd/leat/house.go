package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/gateway"
	"github.com/leatdev/leat/internal/life"
	"github.com/leatdev/leat/internal/obs"
	"github.com/leatdev/leat/internal/obs/lag"
	"github.com/leatdev/leat/internal/server"
	"github.com/leatdev/leat/internal/trim"
)

const (
	// drainTimeout is how long a stop may take before everything left is cut off.
	drainTimeout = 20 * time.Second
	// lagTTL is how old the offsets and lag of /metrics may be.
	lagTTL = 5 * time.Second
)

// house is a long-running command: its parts, and what they know of each other.
type house struct {
	o        brokerOptions
	log      *slog.Logger
	registry *prometheus.Registry
	checks   []gateway.Check

	server  *server.Server   // after brokerPart has started
	trimmer *trim.Trimmer    // likewise
	gateway *gateway.Gateway // after httpPart has started; nil without --http
	reach   []kgo.Opt        // how a client reaches the cluster
}

func newHouse(o brokerOptions, log *slog.Logger) *house {
	return &house{o: o, log: log, registry: obs.NewRegistry(version().Version)}
}

// brokerPart is the broker in this process.
func (h *house) brokerPart() life.Part {
	return life.Part{
		Name: "broker",
		Start: func(ctx context.Context) error {
			limitMemory(h.log)
			s, err := server.Start(ctx, server.Config{
				DataDir: h.o.data, Listen: h.o.listen, Advertise: h.o.advertise, Configs: h.o.configs,
				Relaxed: h.o.durability == "relaxed", Log: h.log,
			})
			if err != nil {
				return err
			}
			h.server, h.reach = s, s.ClientOpts()
			h.trimmer = trim.Start(s.ReleaseIdle)
			h.checks = append(h.checks, gateway.Check{Name: "log", Ready: s.Ready})
			return nil
		},
		Stop: func(hard context.Context) error {
			h.trimmer.Stop()
			return h.server.Close(hard)
		},
	}
}

// httpPart is the HTTP door, if one was asked for.
func (h *house) httpPart() life.Part {
	if h.o.http == "" {
		return life.Part{Name: "http"}
	}
	var client *kgo.Client
	return life.Part{
		Name: "http",
		Start: func(ctx context.Context) error {
			var err error
			if client, err = kgo.NewClient(append(h.reach, kgo.ClientID("leat-metrics"))...); err != nil {
				return err
			}
			address := ""
			if h.server != nil {
				h.registry.MustRegister(storageMetrics(h.server)...)
				h.registry.MustRegister(shareMetrics{h.server}, quotaMetrics{h.server})
				address = h.server.Advertised()
			}
			h.registry.MustRegister(lag.New(kadm.NewClient(client), lagTTL, address))
			h.gateway, err = gateway.Open(ctx, gateway.Config{Addr: h.o.http, Metrics: h.registry, Checks: h.checks, Backup: h.backup(), Log: h.log})
			if err != nil {
				client.Close()
				return err
			}
			h.log.Info("HTTP is open", "addr", h.gateway.Addr())
			return nil
		},
		Stop: func(hard context.Context) error {
			defer client.Close()
			return h.gateway.Close(hard)
		},
	}
}

// backup makes backups of the broker in this process; nil where none are asked for.
func (h *house) backup() gateway.BackupFunc {
	if h.server == nil || h.o.backupDir == "" {
		return nil
	}
	return func(ctx context.Context, name string) (gateway.Backup, error) {
		to := filepath.ToSlash(filepath.Join(h.o.backupDir, name))
		m, err := h.server.Backup(ctx, to)
		if err != nil {
			return gateway.Backup{}, err
		}
		return gateway.NewBackup(to, m), nil
	}
}

// run starts the parts, calls ready if there is one, and keeps them until ctx
// ends, which is a request to stop and no failure, or until one ends by itself,
// which is one.
func (h *house) run(ctx context.Context, ready func() error, parts ...life.Part) error {
	g := life.NewGroup(parts...)
	if err := g.Start(ctx); err != nil {
		return interrupted(ctx, err)
	}
	var cause error
	if ready != nil {
		cause = ready()
	}
	if cause == nil {
		select {
		case <-ctx.Done():
			h.log.Info("stopping: what is in flight is finished; a second signal ends it at once")
		case <-g.Ended():
			cause = g.Cause()
		}
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	return errors.Join(cause, g.Stop(stop))
}
