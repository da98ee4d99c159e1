package server

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/vfs"
)

// Gotcha: listeners and advertised.listeners are separate, port 0 takes a free port
// and says which, node ids start at 1.
func TestListenersFromConfigs(t *testing.T) {
	t.Parallel()
	for what, tc := range map[string]struct {
		cfg  Config
		node int32
		told string // host:port of the broker in Metadata; "" = the listener's own
	}{
		"listen":              {Config{Listen: "127.0.0.1:0"}, 1, ""},
		"listeners":           {Config{Configs: map[string]string{"listeners": "plaintext://127.0.0.1:0", "node.id": "7"}}, 7, ""},
		"listen comes first":  {Config{Listen: "127.0.0.1:0", Configs: map[string]string{"listeners": "PLAINTEXT://192.0.2.1:1"}}, 1, ""},
		"advertised":          {Config{Configs: map[string]string{"listeners": "PLAINTEXT://127.0.0.1:0", "advertised.listeners": "PLAINTEXT://example.org:19092"}}, 1, "example.org:19092"},
		"advertise before it": {Config{Listen: "127.0.0.1:0", Advertise: "example.net:7", Configs: map[string]string{"advertised.listeners": "PLAINTEXT://example.org:19092"}}, 1, "example.net:7"},
	} {
		s := start(t, tc.cfg)
		if tc.told == "" {
			tc.told = s.Addr()
		}
		c, err := kgo.NewClient(kgo.SeedBrokers(s.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		brokers, err := kadm.NewClient(c).ListBrokers(t.Context())
		if err != nil || len(brokers) != 1 {
			t.Fatalf("%s: %v, %v", what, brokers, err)
		}
		host, port, err := splitAddr(tc.told)
		if b := brokers[0]; err != nil || b.NodeID != tc.node || b.Host != host || b.Port != port {
			t.Errorf("%s: %+v, want node %d at %s", what, b, tc.node, tc.told)
		}
		c.Close()
		stop(t, s)
	}
}

// What is wrong with the listeners and the configs is said, in the words of the config.
func TestListenerMistakes(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]Config{
		`"127.0.0.1:9" is not of the form NAME://host:port`: {Configs: map[string]string{"listeners": "127.0.0.1:9"}},
		"PLAINTEXT is named twice":                          {Configs: map[string]string{"listeners": "PLAINTEXT://127.0.0.1:0,plaintext://127.0.0.1:0"}},
		"only PLAINTEXT listeners are there yet":            {Configs: map[string]string{"listeners": "PLAINTEXT://127.0.0.1:0,SSL://127.0.0.1:0"}},
		"no listener of that name":                          {Listen: "127.0.0.1:0", Configs: map[string]string{"advertised.listeners": "SSL://h:1"}},
		`"nonsense" is not of the form`:                     {Listen: "127.0.0.1:0", Configs: map[string]string{"advertised.listeners": "nonsense"}},
		`advertised address "h"`:                            {Listen: "127.0.0.1:0", Advertise: "h"},
		"clients need a host and a port":                    {Listen: "127.0.0.1:0", Advertise: "h:0"},
		`node.id="x" is not a number`:                       {Configs: map[string]string{"node.id": "x"}},
		`node.id="-1" is not a number`:                      {Configs: map[string]string{"node.id": "-1"}},
		"no.such.config":                                    {Configs: map[string]string{"no.such.config": "1"}},
	} {
		cfg.FS, cfg.DataDir = vfs.NewMem(), "/data"
		s, err := Start(t.Context(), cfg)
		if err == nil {
			stop(t, s)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
