package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// ApiVersions: v0-5
//
// Behaviour:
//   - Names exactly the keys that have a handler, with the ranges of
//     kafka.Versions.
//   - A version that is not known is answered in v0's form, with
//     UNSUPPORTED_VERSION and the range of key 18 alone; the connection stays
//     open (KIP-511).
//   - The response header is v0's in every version: no tagged fields.
//   - The features are those of kafka.Features, finalized for ever.
//
// Versions:
//   - v3: the client's software name and version, which must look like names
//     (KIP-511); flexible
//   - v3: supported and finalized features (KIP-584)
//   - v4: a supported feature's lowest level may be 0 (KIP-1022), which earlier
//     clients cannot read; they are not told of those
//   - v5: the cluster and node the client believes to talk to (KIP-1242); another
//     one gets REBOOTSTRAP_REQUIRED, half of the pair INVALID_REQUEST
func (a *api) apiVersions(r *Request, req *kmsg.ApiVersionsRequest) Reply {
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	if req.Version >= 3 {
		if !softwareName(req.ClientSoftwareName) || !softwareName(req.ClientSoftwareVersion) {
			resp.ErrorCode = kerr.InvalidRequest.Code
			return answer(resp)
		}
		r.Peer.software.Store(&software{req.ClientSoftwareName, req.ClientSoftwareVersion})
	}
	if err := a.rightNode(req); err != nil {
		resp.ErrorCode = err.Code
		return answer(resp)
	}
	for _, v := range a.served {
		resp.ApiKeys = append(resp.ApiKeys, apiKey(v))
	}
	resp.FinalizedFeaturesEpoch = 0 // they never change
	for _, f := range kafka.Features {
		l := kmsg.NewApiVersionsResponseFinalizedFeature()
		l.Name, l.MinVersionLevel, l.MaxVersionLevel = f.Name, f.Level, f.Level
		resp.FinalizedFeatures = append(resp.FinalizedFeatures, l)
		if req.Version < 4 && f.Min == 0 {
			continue
		}
		s := kmsg.NewApiVersionsResponseSupportedFeature()
		s.Name, s.MinVersion, s.MaxVersion = f.Name, f.Min, f.Max
		resp.SupportedFeatures = append(resp.SupportedFeatures, s)
	}
	return answer(resp)
}

func apiKey(v kafka.APIVersion) kmsg.ApiVersionsResponseApiKey {
	k := kmsg.NewApiVersionsResponseApiKey()
	k.ApiKey, k.MinVersion, k.MaxVersion = v.Key, v.Min, v.Max
	return k
}

// apiVersionsUnsupported is the answer to a version of ApiVersions that is not
// known.
func apiVersionsUnsupported(v kafka.APIVersion) kmsg.Response {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.Version = 0
	resp.ErrorCode = kerr.UnsupportedVersion.Code
	resp.ApiKeys = append(resp.ApiKeys, apiKey(v))
	return resp
}

// rightNode checks whom the client believes to talk to (v5).
func (a *api) rightNode(req *kmsg.ApiVersionsRequest) *kerr.Error {
	if req.Version < 5 || req.ClusterID == nil && req.NodeID == -1 {
		return nil
	}
	switch {
	case req.ClusterID == nil || req.NodeID == -1:
		return kerr.InvalidRequest
	case *req.ClusterID != a.node.clusterID || req.NodeID != a.node.id:
		return kerr.RebootstrapRequired
	}
	return nil
}

// softwareName reports whether s matches KIP-511's
// [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?
func softwareName(s string) bool {
	for i := range len(s) {
		switch b := s[i]; {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9':
		case (b == '-' || b == '.') && i > 0 && i < len(s)-1:
		default:
			return false
		}
	}
	return s != ""
}
