package server

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"

	"github.com/leatdev/leat/internal/wire"
)

// listeners opens the doors with a socket: Listen, or what the config
// "listeners" says; and what clients are told instead of their addresses.
func listeners(cfg *Config) (doors []*wire.Listener, err error) {
	defer func() {
		if err != nil {
			for _, d := range doors {
				d.Net.Close()
			}
		}
	}()
	var addrs []namedAddr
	switch {
	case cfg.Listen != "":
		addrs = []namedAddr{{plaintext, cfg.Listen}}
	case cfg.Configs["listeners"] != "":
		if addrs, err = parseListeners("listeners", cfg.Configs["listeners"]); err != nil {
			return nil, err
		}
	}
	told, err := advertised(cfg)
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		if a.name != plaintext {
			return doors, fmt.Errorf("listener %s://%s: only PLAINTEXT listeners are there yet", a.name, a.addr)
		}
		ln, err := net.Listen("tcp", a.addr)
		if err != nil {
			return doors, fmt.Errorf("cannot listen: %w; choose another address with --listen, port 0 takes a free one", err)
		}
		l := &wire.Listener{Name: a.name, Net: ln}
		if as, ok := told[a.name]; ok {
			if l.AdvertisedHost, l.AdvertisedPort, err = splitAddr(as); err != nil {
				ln.Close()
				return doors, fmt.Errorf("advertised address %q: %w", as, err)
			}
		}
		doors = append(doors, l)
		delete(told, a.name)
	}
	for name, addr := range told {
		return doors, fmt.Errorf("advertised listener %s://%s: no listener of that name", name, addr)
	}
	return doors, nil
}

const plaintext = "PLAINTEXT"

type namedAddr struct{ name, addr string }

// parseListeners reads NAME://host:port,...
func parseListeners(config, text string) (out []namedAddr, err error) {
	seen := map[string]bool{}
	for _, part := range strings.Split(text, ",") {
		name, addr, ok := strings.Cut(strings.TrimSpace(part), "://")
		if !ok {
			return nil, fmt.Errorf("%s=%s: %q is not of the form NAME://host:port", config, text, part)
		}
		name = strings.ToUpper(name)
		if seen[name] {
			return nil, fmt.Errorf("%s=%s: %s is named twice", config, text, name)
		}
		seen[name] = true
		out = append(out, namedAddr{name, addr})
	}
	return out, nil
}

func advertised(cfg *Config) (map[string]string, error) {
	told := map[string]string{}
	if text := cfg.Configs["advertised.listeners"]; text != "" {
		as, err := parseListeners("advertised.listeners", text)
		if err != nil {
			return nil, err
		}
		for _, a := range as {
			told[a.name] = a.addr
		}
	}
	if cfg.Advertise != "" {
		told[plaintext] = cfg.Advertise
	}
	return told, nil
}

func splitAddr(addr string) (host string, port int32, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 || host == "" {
		return "", 0, errors.New("clients need a host and a port from 1 to 65535")
	}
	return host, int32(n), nil
}

// withListeners returns the configs with the listeners as they are, for those
// who ask the broker.
func withListeners(configs map[string]string, doors []*wire.Listener) map[string]string {
	out := maps.Clone(configs)
	if out == nil {
		out = map[string]string{}
	}
	var at, told []string
	for _, d := range doors {
		host, port := d.Advertised()
		at = append(at, d.Name+"://"+d.Net.Addr().String())
		told = append(told, fmt.Sprintf("%s://%s", d.Name, net.JoinHostPort(host, strconv.Itoa(int(port)))))
	}
	if len(at) > 0 {
		out["listeners"], out["advertised.listeners"] = strings.Join(at, ","), strings.Join(told, ",")
	}
	return out
}
