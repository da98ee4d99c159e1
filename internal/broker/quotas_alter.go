package broker

import (
	"context"
	"maps"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
)

// What one request may change of quotas: as many as in Kafka, and no more bytes than one
// batch of the catalogue's log should have.
const (
	maxQuotaChanges     = 10_000
	maxQuotaChangeBytes = 8 << 20
)

// QuotaEdit changes quotas of one entity. A nil value takes a quota away.
type QuotaEdit struct {
	Entity kafka.QuotaEntity
	Ops    []QuotaOp
}

// QuotaOp changes one quota.
type QuotaOp struct {
	Name  string
	Value *float64
}

// AlterQuotas changes quotas, each entity's for itself, those without an error all at once
// and durably. With validateOnly it only checks. Errors are Refusals, by entity; an entity
// that is named twice has one, and is not changed.
func (b *Broker) AlterQuotas(edits []QuotaEdit, validateOnly bool) map[kafka.QuotaEntity]error {
	b.changing.Lock()
	defer b.changing.Unlock()
	s := b.Catalog.Snapshot()
	errs := make(map[kafka.QuotaEntity]error, len(edits))
	put := make(map[kafka.QuotaEntity]map[string]float64, len(edits))
	changes := 0
	for _, e := range edits {
		if _, twice := errs[e.Entity]; twice {
			errs[e.Entity] = catalog.Refuse(kerr.InvalidRequest, "Ignoring duplicate entity %s", e.Entity)
			delete(put, e.Entity)
			continue
		}
		quotas, err := editQuotas(s.QuotasOf(e.Entity), e)
		if errs[e.Entity] = err; err == nil && !maps.Equal(quotas, s.QuotasOf(e.Entity)) {
			put[e.Entity] = quotas
			changes += len(e.Ops)
		}
	}
	if len(put) == 0 {
		return errs
	}
	var records []kafka.Record
	var apply []catalog.Change
	bytes := 0
	for e, quotas := range put {
		c := catalog.PutQuotas(e, quotas)
		r := c.Record(b.now().UnixMilli())
		apply, records = append(apply, c), append(records, r)
		bytes += len(r.Key) + len(r.Value)
	}
	err := error(nil)
	if changes > maxQuotaChanges || bytes > maxQuotaChangeBytes {
		err = catalog.Refuse(kerr.PolicyViolation, "Unable to perform excessively large batch operation.")
	} else if !validateOnly {
		err = b.commitQuotas(records, apply)
	}
	if err != nil {
		for e := range put {
			errs[e] = err
		}
	}
	return errs
}

// editQuotas returns a copy of an entity's quotas with the changes carried out.
func editQuotas(have map[string]float64, edit QuotaEdit) (map[string]float64, error) {
	seen := map[string]bool{}
	for _, op := range edit.Ops {
		if seen[op.Name] { // Kafka complains of a quota that is named twice in these words, too
			return nil, catalog.Refuse(kerr.InvalidRequest, "Ignoring duplicate entity %s", edit.Entity)
		}
		seen[op.Name] = true
	}
	if err := catalog.CheckQuotaEntity(edit.Entity); err != nil {
		return nil, err
	}
	quotas := maps.Clone(have)
	if quotas == nil {
		quotas = map[string]float64{}
	}
	for _, op := range edit.Ops {
		if op.Value == nil {
			delete(quotas, op.Name)
			continue
		}
		if err := catalog.CheckQuota(edit.Entity, op.Name, *op.Value); err != nil {
			return nil, err
		}
		quotas[op.Name] = *op.Value
	}
	return quotas, nil
}

// commitQuotas writes changes as one batch, waits until it is on disk, and has them seen
// and enforced.
func (b *Broker) commitQuotas(records []kafka.Record, changes []catalog.Change) error {
	batch := kafka.Build(kafka.BatchSpec{}, records)
	release := b.Store.AwaitReserve(len(batch))
	_, pos, err := b.Store.Submit(plog.Append(b.catalog, batch))
	release()
	if err == nil {
		err = b.Store.Wait(context.Background(), pos)
	}
	if err != nil {
		return err
	}
	b.Catalog.Apply(changes...)
	b.Quotas.follow(b.Catalog.Snapshot())
	return nil
}
