package wire

import (
	"net"
	"strconv"
	"testing"
)

func TestAdvertised(t *testing.T) {
	t.Parallel()
	addr := func(s string) net.Listener { return fixedAddr{Memory: NewMemory(), addr: s} }
	for _, c := range []struct {
		l    Listener
		want string
	}{
		{Listener{Net: addr("127.0.0.1:4711")}, "127.0.0.1:4711"},
		{Listener{Net: addr("[::]:4711")}, "localhost:4711"},
		{Listener{Net: addr("0.0.0.0:4711"), AdvertisedHost: "kafka.example"}, "kafka.example:4711"},
		{Listener{Net: addr("0.0.0.0:4711"), AdvertisedHost: "kafka.example", AdvertisedPort: 9}, "kafka.example:9"},
		{Listener{Net: NewMemory()}, memoryAddr},
	} {
		host, port := c.l.Advertised()
		if got := net.JoinHostPort(host, itoa(port)); got != c.want {
			t.Errorf("%s advertises %s, want %s", c.l.Net.Addr(), got, c.want)
		}
	}
}

func itoa(n int32) string { return strconv.Itoa(int(n)) }

type fixedAddr struct {
	*Memory
	addr string
}

func (f fixedAddr) Addr() net.Addr { return f }
func (fixedAddr) Network() string  { return "tcp" }
func (f fixedAddr) String() string { return f.addr }
