package group

import (
	"bytes"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// member is one member of a group.
type member struct {
	id           string
	instance     *string // group.instance.id of a static member, else nil
	clientID     string
	clientHost   string
	session      time.Duration
	rebalance    time.Duration
	protocolType string
	protocols    []protocol // in the order the member prefers them
	assignment   []byte

	// joining and syncing are the requests that wait for the group, nil when
	// there is none.
	joining, syncing *waiter
	// isNew: its first join is not answered yet, so it cannot send heartbeats.
	isNew bool
	// deadline is when the member is taken for dead; zero while a request of it
	// waits here.
	deadline time.Time
}

// waiter is a request that is answered later.
type waiter struct {
	token   Token
	version int16
}

// protocol is a way to assign partitions that a member knows, with what it
// tells the leader about itself.
type protocol struct {
	name     string
	metadata []byte
}

// protocolsOf copies the protocols out of a request: the request's bytes may be
// a view of a network frame.
func protocolsOf(req *kmsg.JoinGroupRequest) []protocol {
	ps := make([]protocol, 0, len(req.Protocols))
	named := make(map[string]bool, len(req.Protocols))
	for _, p := range req.Protocols {
		// A name twice would count as two members that know it; the first stands.
		if !named[p.Name] {
			named[p.Name] = true
			ps = append(ps, protocol{p.Name, bytes.Clone(p.Metadata)})
		}
	}
	return ps
}

func sameProtocols(a, b []protocol) bool {
	return slices.EqualFunc(a, b, func(x, y protocol) bool {
		return x.name == y.name && bytes.Equal(x.metadata, y.metadata)
	})
}

// timeoutsOf are a join's session and rebalance time-outs. Version 0 has no
// rebalance time-out: the session's stands for it, as for nonsense.
func timeoutsOf(req *kmsg.JoinGroupRequest) (session, rebalance time.Duration) {
	session = time.Duration(req.SessionTimeoutMillis) * time.Millisecond
	rebalance = time.Duration(req.RebalanceTimeoutMillis) * time.Millisecond
	if req.Version < 1 || rebalance <= 0 {
		rebalance = session
	}
	return session, rebalance
}

// metadata is what the member says of itself under a protocol, nil when it does
// not know it.
func (m *member) metadata(protocol string) []byte {
	for _, p := range m.protocols {
		if p.name == protocol {
			return p.metadata
		}
	}
	return nil
}

// waits says that the member cannot send heartbeats because a request of it is
// parked here.
func (m *member) waits() bool { return m.joining != nil || m.syncing != nil }

// alive moves the member's deadline to d from now.
func (m *member) alive(now time.Time, d time.Duration) { m.deadline = now.Add(d) }
