package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestDescribeClientQuotas(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	c := b.dial()
	type component = kmsg.DescribeClientQuotasRequestComponent
	name := "alice"
	versions(t, 48, func(t *testing.T, version int16) {
		for _, x := range []struct {
			what       string
			components []component
			want       string
		}{
			{"all", nil, "ok"},
			{"a user", []component{{EntityType: "user", Match: &name}}, "ok"},
			{"any client of the default user", []component{{EntityType: "user", MatchType: 1}, {EntityType: "client-id", MatchType: 2}}, "ok"},
			{"an address", []component{{EntityType: "ip", MatchType: 2}}, "ok"},
			{"an address and a user", []component{{EntityType: "ip", MatchType: 2}, {EntityType: "user", MatchType: 2}}, "INVALID_REQUEST"},
			{"nothing of a kind", []component{{EntityType: "planet", MatchType: 2}}, "UNSUPPORTED_VERSION"},
			{"no kind", []component{{MatchType: 2}}, "INVALID_REQUEST"},
			{"a kind twice", []component{{EntityType: "user", MatchType: 2}, {EntityType: "user", MatchType: 1}}, "INVALID_REQUEST"},
			{"by no name", []component{{EntityType: "user"}}, "INVALID_REQUEST"},
			{"any by name", []component{{EntityType: "user", MatchType: 2, Match: &name}}, "INVALID_REQUEST"},
			{"an unknown match", []component{{EntityType: "user", MatchType: 3}}, "INVALID_REQUEST"},
		} {
			req := kmsg.NewPtrDescribeClientQuotasRequest()
			req.Components = x.components
			resp := ask[*kmsg.DescribeClientQuotasResponse](c, req, version)
			if got := says(resp.ErrorCode, nil); got != x.want || (resp.Entries == nil) != (x.want != "ok") || len(resp.Entries) != 0 {
				t.Errorf("%s: %s, want %s: %+v", x.what, got, x.want, resp)
			}
		}
	})
}
