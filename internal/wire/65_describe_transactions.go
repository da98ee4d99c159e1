package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// DescribeTransactions: v0 (KIP-664)
//
// Behaviour:
//   - The state of transactional ids, as it is on disk; one that does not exist is
//     TRANSACTIONAL_ID_NOT_FOUND, an empty one INVALID_REQUEST.
//   - Before the first transactional id there is no coordinator: NOT_COORDINATOR.
func (a *api) describeTransactions(_ *Request, req *kmsg.DescribeTransactionsRequest) Reply {
	p, reply := later()
	a.broker.Txns.Describe(req, func(resp *kmsg.DescribeTransactionsResponse) { p.Answer(resp) })
	return reply
}
