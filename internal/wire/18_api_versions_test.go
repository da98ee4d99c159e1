package wire

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// Reference 4.2, gotcha 2: an unknown version of ApiVersions is answered in v0's
// form with UNSUPPORTED_VERSION and the range of key 18, and the connection goes on.
func TestApiVersionsUnknownVersion(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{}, nil)
	c := b.dial()
	c.write(framed(append(head2(18, 99), "whatever the future brings"...)))
	corr, body := c.recv()
	want := []byte{
		0, 35, // UNSUPPORTED_VERSION
		0, 0, 0, 1, // one key
		0, 18, 0, 0, 0, 5,
	}
	if corr != 7 || !bytes.Equal(body, want) {
		t.Errorf("correlation id %d, body %x, want %x", corr, body, want)
	}
	c.mustBeOpen()
}

// Gotcha 2: not one stray tagged-field byte in the header of ApiVersions, in any
// version; and one, empty, in that of other flexible answers (KIP-511, KIP-482).
func TestResponseHeaders(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{}, heartbeats(func(r *Request, req *kmsg.HeartbeatRequest) Reply {
		return answer(req.ResponseKind())
	}))
	c := b.dial()
	for version := int16(0); version <= 5; version++ {
		c.send(1, apiVersionsRequest(version))
		_, body := c.recv()
		resp := kmsg.NewPtrApiVersionsResponse()
		resp.Version = version
		if err := resp.ReadFrom(body); err != nil || resp.ErrorCode != 0 || len(resp.ApiKeys) != 2 {
			t.Errorf("v%d: %v, %+v", version, err, resp)
		}
		// Gotcha 6: KIP-890's clients look at the finalized transaction.version.
		if version >= 3 {
			checkFeatures(t, resp)
		}
		if again := resp.AppendTo(nil); !bytes.Equal(again, body) {
			t.Errorf("v%d: body is %x, should be %x", version, body, again)
		}
	}
	for version, want := range map[int16]int{3: 6, 4: 6 + 2} { // throttle, error; v4: header tags, body tags
		req := heartbeat("g")
		req.Version = version
		c.send(1, req)
		if _, body := c.recv(); len(body) != want {
			t.Errorf("Heartbeat v%d: %d bytes after the correlation id, want %d", version, len(body), want)
		}
	}
}

// Gotcha 2 and KIP-1242: a client that looks for another cluster or node is sent
// back to its bootstrap servers; one that names none is not.
func TestApiVersionsNamesTheNode(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{}, nil)
	c := b.dial()
	cluster := func(s string) *string { return &s }
	for _, x := range []struct {
		cluster *string
		node    int32
		want    *kerr.Error
	}{
		{nil, -1, nil},
		{cluster("the-cluster"), 1, nil},
		{cluster("another"), 1, kerr.RebootstrapRequired},
		{cluster("the-cluster"), 2, kerr.RebootstrapRequired},
		{nil, 1, kerr.InvalidRequest},
		{cluster("the-cluster"), -1, kerr.InvalidRequest},
	} {
		req := apiVersionsRequest(5)
		req.ClusterID, req.NodeID = x.cluster, x.node
		c.send(1, req)
		_, body := c.recv()
		resp := kmsg.NewPtrApiVersionsResponse()
		resp.Version = 5
		if err := resp.ReadFrom(body); err != nil {
			t.Fatal(err)
		}
		want := int16(0)
		if x.want != nil {
			want = x.want.Code
		}
		if resp.ErrorCode != want {
			t.Errorf("cluster %v node %d: error %d, want %d", x.cluster, x.node, resp.ErrorCode, want)
		}
	}
}

// KIP-511: software names that are none are refused, others are remembered.
func TestApiVersionsSoftware(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	b := newBench(t, Config{}, heartbeats(func(r *Request, req *kmsg.HeartbeatRequest) Reply {
		name, version := r.Peer.Software()
		got <- name + "/" + version + " " + r.ClientID + " " + r.Principal
		return noAnswer()
	}))
	c := b.dial()
	for _, name := range []string{"", "a-", "-a", "a b", "ä"} {
		req := apiVersionsRequest(3)
		req.ClientSoftwareName = name
		c.send(1, req)
		_, body := c.recv()
		resp := kmsg.NewPtrApiVersionsResponse()
		resp.Version = 3
		if err := resp.ReadFrom(body); err != nil || resp.ErrorCode != kerr.InvalidRequest.Code || len(resp.ApiKeys) != 0 {
			t.Errorf("%q: %v, %+v", name, err, resp)
		}
	}
	c.send(1, heartbeat("g"))
	if s := <-got; s != "unknown/unknown test User:ANONYMOUS" {
		t.Error(s)
	}
	c.send(1, apiVersionsRequest(3))
	c.recv()
	c.send(1, heartbeat("g"))
	if s := <-got; s != "tester/1.0 test User:ANONYMOUS" {
		t.Error(s)
	}
}

// checkFeatures compares the features of an answer with the table.
func checkFeatures(t *testing.T, resp *kmsg.ApiVersionsResponse) {
	t.Helper()
	if resp.FinalizedFeaturesEpoch != 0 || len(resp.FinalizedFeatures) != len(kafka.Features) {
		t.Fatalf("v%d: features %+v of epoch %d", resp.Version, resp.FinalizedFeatures, resp.FinalizedFeaturesEpoch)
	}
	supported := resp.SupportedFeatures
	for i, f := range kafka.Features {
		if l := resp.FinalizedFeatures[i]; l.Name != f.Name || l.MinVersionLevel != f.Level || l.MaxVersionLevel != f.Level {
			t.Errorf("v%d: finalized %+v, the table has %+v", resp.Version, l, f)
		}
		if resp.Version < 4 && f.Min == 0 {
			continue // Java's clients before KIP-1022 take 0 for an error
		}
		if len(supported) == 0 || supported[0].Name != f.Name || supported[0].MinVersion != f.Min || supported[0].MaxVersion != f.Max {
			t.Fatalf("v%d: supported %+v, the table has %+v", resp.Version, supported, f)
		}
		supported = supported[1:]
	}
	if len(supported) != 0 {
		t.Errorf("v%d: supported, too: %+v", resp.Version, supported)
	}
}
