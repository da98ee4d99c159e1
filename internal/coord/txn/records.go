package txn

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Versions of what is written to __transaction_state.
const (
	keyVersion   = 0
	valueVersion = 1 // flexible, with what transaction version 2 has to know
)

func keyOf(id string) []byte {
	k := kmsg.NewTxnMetadataKey()
	k.Version, k.TransactionalID = keyVersion, id
	return k.AppendTo(nil)
}

// record is the transactional id as it is stored.
func (t *txn) record() Record {
	v := kmsg.NewTxnMetadataValue()
	v.Version = valueVersion
	v.ProducerID, v.ProducerEpoch, v.TimeoutMillis = t.producerID, t.epoch, t.timeout
	v.State = kmsg.TransactionState(t.state)
	v.LastUpdateTimestamp, v.StartTimestamp = t.updated, t.started
	v.PreviousProducerID, v.NextProducerID = t.previousID, t.nextID
	v.ClientTransactionVersion = t.version
	for _, p := range t.partitions {
		if n := len(v.Topics); n == 0 || v.Topics[n-1].Topic != p.Topic {
			v.Topics = append(v.Topics, kmsg.TxnMetadataValueTopic{Topic: p.Topic})
		}
		top := &v.Topics[len(v.Topics)-1]
		top.Partitions = append(top.Partitions, p.Partition)
	}
	return Record{Key: keyOf(t.id), Value: v.AppendTo(nil)}
}

// Replayed counts what a replay met.
type Replayed struct {
	IDs, Tombstones int
	// Skipped are records of kinds or versions that are not known here.
	Skipped int
}

// Replay takes in one record of the log, oldest first, before the first Step. It keeps
// no reference to the record's bytes. An error means that the record cannot be decoded;
// the coordinator is as before.
func (c *Coordinator) Replay(r Record, n *Replayed) error {
	if len(r.Key) < 2 {
		return fmt.Errorf("txn: a key of %d bytes has no version", len(r.Key))
	}
	if binary.BigEndian.Uint16(r.Key) != keyVersion {
		n.Skipped++
		return nil
	}
	var k kmsg.TxnMetadataKey
	if err := k.ReadFrom(r.Key); err != nil {
		return fmt.Errorf("txn: key: %w", err)
	}
	if r.Value == nil {
		n.Tombstones++
		delete(c.txns, k.TransactionalID)
		return nil
	}
	if len(r.Value) < 2 {
		return fmt.Errorf("txn: value of %q: %d bytes have no version", k.TransactionalID, len(r.Value))
	}
	if binary.BigEndian.Uint16(r.Value) > valueVersion {
		n.Skipped++
		return nil
	}
	var v kmsg.TxnMetadataValue
	if err := v.ReadFrom(r.Value); err != nil {
		return fmt.Errorf("txn: value of %q: %w", k.TransactionalID, err)
	}
	if v.State < 0 || State(v.State) > PrepareEpochFence {
		return fmt.Errorf("txn: value of %q: unknown state %d", k.TransactionalID, v.State)
	}
	n.IDs++
	t := &txn{
		id: k.TransactionalID, producerID: v.ProducerID, previousID: v.PreviousProducerID, nextID: v.NextProducerID,
		epoch: v.ProducerEpoch, lastEpoch: -1, timeout: v.TimeoutMillis, state: State(v.State), version: v.ClientTransactionVersion,
		updated: v.LastUpdateTimestamp, started: v.StartTimestamp,
	}
	for _, top := range v.Topics {
		for _, p := range top.Partitions {
			t.partitions = append(t.partitions, Partition{top.Topic, p})
		}
	}
	slices.SortFunc(t.partitions, byPartition)
	c.txns[t.id] = t
	return nil
}

func byPartition(a, b Partition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}
