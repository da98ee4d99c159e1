package wire

import (
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The limits on connections can be changed while the broker runs.
func TestMaxConnections(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"max.connections", "max.connections.per.ip"} {
		b := newAdminBench(t, map[string]string{name: "2"})
		first, second := b.dial(), b.dial()
		first.mustBeOpen()
		second.mustBeOpen()
		b.dial().mustBeClosed()
		expect(t, name, edit(first, 1, ofBroker, "1", false, change{name, 0, "3"}), "ok")
		third := b.dial()
		third.mustBeOpen()
		b.dial().mustBeClosed()
		first.mustBeOpen()
	}
}

// connections.max.idle.ms of -1 is never.
func TestIdleNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{IdleTimeout: -time.Millisecond}, nil)
		c := b.dial()
		c.mustBeOpen()
		time.Sleep(1000 * time.Hour)
		c.mustBeOpen()
	})
}

func TestLimitsComeFromTheBroker(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, map[string]string{"queued.max.request.bytes": "12345", "fetch.max.bytes": "2048", "max.incremental.fetch.session.cache.slots": "7"})
	if got := b.srv.memory.limit; got != 12345 {
		t.Errorf("memory is %d", got)
	}
	if a := b.srv.api; a.fetchMaxBytes != 2048 || a.sessions.limit != 7 {
		t.Errorf("fetch.max.bytes is %d, %d sessions", a.fetchMaxBytes, a.sessions.limit)
	}
	if got := newAdminBench(t, nil).srv.memory.limit; got != DefaultMemory {
		t.Errorf("by default memory is %d", got)
	}
}

// Reference, behaviour 13: several listeners at once, each with the address that
// its clients are told.
func TestEachListenerTellsItsOwnAddress(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	inside, outside := NewMemory(), NewMemory()
	srv, err := NewServer(Config{Broker: b.broker, Log: slog.New(slog.DiscardHandler), Listeners: []*Listener{
		{Name: "PLAINTEXT", Net: inside},
		{Name: "OUTSIDE", Net: outside, AdvertisedHost: "kafka.example", AdvertisedPort: 19092},
	}})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	defer srv.Stop(t.Context())
	for mem, want := range map[*Memory]string{inside: memoryAddr, outside: "kafka.example:19092"} {
		nc, err := mem.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		c := &client{t, nc}
		br := ask[*kmsg.MetadataResponse](c, metadataRequest(), 13).Brokers[0]
		if got := net.JoinHostPort(br.Host, itoa(br.Port)); got != want {
			t.Errorf("Metadata tells %s, want %s", got, want)
		}
		cl := ask[*kmsg.DescribeClusterResponse](c, kmsg.NewPtrDescribeClusterRequest(), 2).Brokers[0]
		if got := net.JoinHostPort(cl.Host, itoa(cl.Port)); got != want {
			t.Errorf("DescribeCluster tells %s, want %s", got, want)
		}
		nc.Close()
	}
}

// A listener that fails for a while is tried again.
type failing struct {
	*Memory
	left int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.left > 0 {
		f.left--
		return nil, io.ErrNoProgress // as too many open files would
	}
	return f.Memory.Accept()
}

func TestAcceptGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &failing{NewMemory(), 10}
		srv, err := NewServer(Config{Listeners: []*Listener{{Name: "PLAINTEXT", Net: f}}})
		if err != nil {
			t.Fatal(err)
		}
		srv.Start()
		nc, err := f.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		c := &client{t, nc}
		c.mustBeOpen()
		if err := srv.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
