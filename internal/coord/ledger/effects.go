package ledger

// Token is the caller's handle of a request; it comes back in the Reply.
type Token any

// Reply answers a request; the type of Answer is told at the request's event.
type Reply struct {
	Token  Token
	Answer any
}

// Note is something an operator may want to read in the log. Of is the id of what it is
// about: a group, a transactional id.
type Note struct{ Of, Text string }

// Record is one record of a coordinator's topic in Kafka's encoding; a nil Value is a
// tombstone.
type Record struct{ Key, Value []byte }
