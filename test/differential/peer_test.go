package differential

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
)

// patience bounds every wait for the other side: nothing here takes long.
const patience = 30 * time.Second

// sides returns the peer and connections to both, or skips by name what is missing.
func sides(t *testing.T) (p peer, other, ours *side) {
	t.Helper()
	p, err := thePeer()
	if err != nil {
		if os.Getenv("LEAT_REQUIRE") != "" {
			t.Fatal("the broker to compare with: ", err)
		}
		t.Skip("not run, the broker to compare with is missing: ", err)
	}
	if p.name == "kfake" && !besideKfake[t.Name()] {
		t.Skip("not run, it is about details of Apache Kafka's that kfake does not have")
	}
	other, ours = newSide(t, p.name, p.addr), newSide(t, "leat", openLeat(t))
	other.plain, ours.plain = p.name == "kfake", p.name == "kfake"
	return p, other, ours
}

// openLeat starts a Leat of its own in memory and returns its address.
func openLeat(t *testing.T) string {
	t.Helper()
	srv, err := leat.Open(t.Context(), leat.Config{Listen: "127.0.0.1:0", Configs: map[string]string{"group.initial.rebalance.delay.ms": "0"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return srv.Addr()
}

// side is one of the two brokers, and a connection to it.
type side struct {
	t    *testing.T
	name string
	addr string
	nc   net.Conn
	corr int32
	wait time.Duration // for an answer
	// plain: some requests are left out that kfake takes and others refuse, after which
	// nothing could be compared.
	plain bool
}

func newSide(t *testing.T, name, addr string) *side {
	s := &side{t: t, name: name, addr: addr, wait: patience}
	s.dial()
	t.Cleanup(func() { s.nc.Close() })
	return s
}

func (s *side) dial() {
	s.t.Helper()
	nc, err := net.DialTimeout("tcp", s.addr, patience)
	if err != nil {
		s.t.Fatal(s.name, err)
	}
	s.nc = nc
}

// send writes a request.
func (s *side) send(req kmsg.Request, version int16) {
	s.t.Helper()
	req.SetVersion(version)
	s.corr++
	s.nc.SetDeadline(time.Now().Add(s.wait))
	if _, err := s.nc.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("differential")).AppendRequest(nil, req, s.corr)); err != nil {
		s.t.Fatal(s.name, err)
	}
}

var (
	errClosed = errors.New("the connection was closed")
	errSilent = errors.New("no answer")
)

// receive reads the answer to req.
func (s *side) receive(req kmsg.Request) (kmsg.Response, error) {
	s.t.Helper()
	var head [8]byte
	_, err := io.ReadFull(s.nc, head[:])
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		s.nc.Close()
		s.dial()
		return nil, errClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.nc.Close()
		s.dial()
		return nil, errSilent
	case err != nil:
		s.t.Fatalf("%s: %T: %v", s.name, req, err)
	}
	if corr := int32(binary.BigEndian.Uint32(head[4:])); corr != s.corr {
		s.t.Fatalf("%s: answer %d to request %d", s.name, corr, s.corr)
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:])-4)
	if _, err := io.ReadFull(s.nc, body); err != nil {
		s.t.Fatal(s.name, err)
	}
	resp := req.ResponseKind()
	if resp.IsFlexible() && resp.Key() != 18 {
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		s.t.Fatalf("%s: %T: %v", s.name, resp, err)
	}
	return resp, nil
}

// ask sends a request whose answer is not compared.
func ask[A kmsg.Response](s *side, req kmsg.Request, version int16) A {
	s.t.Helper()
	s.send(req, version)
	resp, err := s.receive(req)
	if err != nil {
		s.t.Fatalf("%s: %T: %v", s.name, req, err)
	}
	return resp.(A)
}

// createTopic makes a topic and waits until it can be used; it returns its id and
// leader epoch.
func (s *side) createTopic(name string, partitions int32, configs ...string) (id [16]byte, epoch int32) {
	s.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = int32(patience.Milliseconds())
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = name, partitions, 1
	for _, c := range configs {
		k, v, _ := strings.Cut(c, "=")
		rc := kmsg.NewCreateTopicsRequestTopicConfig()
		rc.Name, rc.Value = k, &v
		rt.Configs = append(rt.Configs, rc)
	}
	req.Topics = append(req.Topics, rt)
	if code := ask[*kmsg.CreateTopicsResponse](s, req, 7).Topics[0].ErrorCode; code != 0 {
		s.t.Fatalf("%s: topic %s: error %d", s.name, name, code)
	}
	meta := kmsg.NewPtrMetadataRequest()
	mt := kmsg.NewMetadataRequestTopic()
	mt.Topic = &name
	meta.Topics = append(meta.Topics, mt)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		topic := ask[*kmsg.MetadataResponse](s, meta, 12).Topics[0]
		ready := topic.ErrorCode == 0
		for _, p := range topic.Partitions {
			ready = ready && p.ErrorCode == 0
		}
		if !ready {
			continue
		}
		// The metadata may be there before the partitions are.
		for _, p := range topic.Partitions {
			ready = ready && ask[*kmsg.ListOffsetsResponse](s, listOffsets(name, p.Partition, -1, -1), 7).Topics[0].Partitions[0].ErrorCode == 0
		}
		if ready {
			return topic.TopicID, topic.Partitions[0].LeaderEpoch
		}
	}
	s.t.Fatalf("%s: topic %s is never ready", s.name, name)
	return id, 0
}
