package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestUnregisterBroker(t *testing.T) {
	t.Parallel()
	c := newAdminBench(t, nil).dial()
	versions(t, 64, func(t *testing.T, version int16) {
		for id, want := range map[int32]string{1: "INVALID_REQUEST", 2: "BROKER_ID_NOT_REGISTERED", -1: "BROKER_ID_NOT_REGISTERED"} {
			req := kmsg.NewPtrUnregisterBrokerRequest()
			req.BrokerID = id
			if resp := ask[*kmsg.UnregisterBrokerResponse](c, req, version); says(resp.ErrorCode, nil) != want || resp.ErrorMessage == nil {
				t.Errorf("broker %d: %+v, want %s", id, resp, want)
			}
		}
	})
}
