package wire

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// gate checks a request's key and version before its body is looked at. It
// returns the handler, or else an answer or an error.
//
// An unknown version of ApiVersions has an answer of its own, which every client
// can read (KIP-511). For any other key there is none, as no version of the
// answer is known to be understood: the connection is closed, as Kafka does.
func (s *Server) gate(h *header) (handler, Reply, error) {
	v, _ := kafka.VersionsOf(h.key)
	switch handle := s.handlers[h.key]; {
	case handle == nil:
		return nil, Reply{}, fmt.Errorf("%w %d", errUnknownKey, h.key)
	case h.version >= v.Min && h.version <= v.Max:
		return handle, Reply{}, nil
	case h.key == keyApiVersions:
		return nil, answer(apiVersionsUnsupported(v)), nil
	}
	return nil, Reply{}, fmt.Errorf("%w %d, want %d to %d", errVersion, h.version, v.Min, v.Max)
}

// tooOld answers versions that are advertised but not served; a zero Reply when
// the request is not of them. There is one such case, Produce 0 to 2: librdkafka
// before 2.11.1 compresses nothing unless it sees them (KAFKA-18659), and then
// does not send them. Who does gets UNSUPPORTED_VERSION for every partition, in
// the shape of the version that was asked; with acks=0 there is no answer to put
// it in, so the connection closes.
func tooOld(req kmsg.Request) Reply {
	if v, _ := kafka.VersionsOf(req.Key()); v.Serves(req.GetVersion()) {
		return Reply{}
	}
	p, ok := req.(*kmsg.ProduceRequest)
	if !ok || p.Acks == 0 {
		return hangUp(fmt.Errorf("%w %d: advertised for the sake of old clients, not served", errVersion, req.GetVersion()))
	}
	resp := p.ResponseKind().(*kmsg.ProduceResponse)
	for _, t := range p.Topics {
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic = t.Topic
		for _, part := range t.Partitions {
			rp := kmsg.NewProduceResponseTopicPartition()
			rp.Partition = part.Partition
			rp.ErrorCode = kerr.UnsupportedVersion.Code
			rp.BaseOffset = -1
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return answer(resp)
}
