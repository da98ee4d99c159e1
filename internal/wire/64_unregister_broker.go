package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
)

// UnregisterBroker: v0
//
// Behaviour:
//   - This broker is all there is and cannot be taken away while it answers:
//     INVALID_REQUEST. Others are not known: BROKER_ID_NOT_REGISTERED.
func (a *api) unregisterBroker(r *Request, req *kmsg.UnregisterBrokerRequest) Reply {
	resp := req.ResponseKind().(*kmsg.UnregisterBrokerResponse)
	err := catalog.Refuse(kerr.BrokerIDNotRegistered, "Broker ID %d is not currently registered", req.BrokerID)
	if req.BrokerID == a.node.id {
		err = catalog.Refuse(kerr.InvalidRequest, "Broker %d is running and the only one; stop it to take it away.", req.BrokerID)
	}
	resp.ErrorCode, resp.ErrorMessage = a.code(r, err), explain(err)
	return answer(resp)
}
