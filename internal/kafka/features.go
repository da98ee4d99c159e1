package kafka

// Feature is a capability of the cluster that clients ask about by name (KIP-584):
// a key's range says what a broker can parse, a finalized feature what all of the
// cluster does.
type Feature struct {
	Name string
	// Min and Max are the levels that the broker supports, Level is the one in
	// force. All are fixed: there is no other broker to wait for, and no older
	// behaviour to go back to.
	Min, Max, Level int16
}

// Features are those of Apache Kafka that Leat has, in order of name.
var Features = []Feature{
	{Name: "group.version", Min: 0, Max: 1, Level: 1},       // consumer groups (KIP-848)
	{Name: "share.version", Min: 0, Max: 2, Level: 2},       // share groups (KIP-932), their dead letters (KIP-1191)
	{Name: "transaction.version", Min: 0, Max: 2, Level: 2}, // EOS v2's server part (KIP-890)
}
