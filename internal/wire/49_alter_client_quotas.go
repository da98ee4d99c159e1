package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/kafka"
)

// AlterClientQuotas: v0-1
//
// Behaviour:
//   - Quotas of users, client ids, both together, and addresses, each by name or the
//     default. What is answered without error is on disk and in force.
//   - Checked as by Kafka, but for hosts: an address is wanted, names are not looked up.
//   - An entity that is named twice, or a quota of it, is an error, once; Kafka carries
//     out the first all the same.
//
// Versions:
//   - v1: flexible
func (a *api) alterClientQuotas(r *Request, req *kmsg.AlterClientQuotasRequest) Reply {
	resp := req.ResponseKind().(*kmsg.AlterClientQuotasResponse)
	unknown := map[int]error{} // by the place in resp.Entries
	var entities []kafka.QuotaEntity
	answered := map[kafka.QuotaEntity]bool{}
	var edits []broker.QuotaEdit
	for i := range req.Entries {
		out := kmsg.NewAlterClientQuotasResponseEntry()
		entity, err := quotaEntity(req.Entries[i].Entity)
		if err == nil {
			edits = append(edits, broker.QuotaEdit{Entity: entity, Ops: quotaOps(req.Entries[i].Ops)})
			if answered[entity] {
				continue
			}
			answered[entity] = true
			out.Entity = alteredEntity(entity)
		} else {
			unknown[len(resp.Entries)] = err
			for _, e := range req.Entries[i].Entity {
				o := kmsg.NewAlterClientQuotasResponseEntryEntity()
				o.Type, o.Name = e.Type, e.Name
				out.Entity = append(out.Entity, o)
			}
		}
		entities = append(entities, entity)
		resp.Entries = append(resp.Entries, out)
	}
	errs := a.broker.AlterQuotas(edits, req.ValidateOnly)
	for i := range resp.Entries {
		err := unknown[i]
		if err == nil {
			err = errs[entities[i]]
		}
		resp.Entries[i].ErrorCode, resp.Entries[i].ErrorMessage = a.code(r, err), explain(err)
	}
	return answer(resp)
}

// quotaEntity reads an entity. Of a type that is named twice the last counts, as in Kafka.
func quotaEntity(parts []kmsg.AlterClientQuotasRequestEntryEntity) (e kafka.QuotaEntity, err error) {
	for _, p := range parts {
		at := e.Part(p.Type)
		if at == nil {
			return kafka.QuotaEntity{}, catalog.Refuse(kerr.InvalidRequest, "Unhandled client quota entity type: %s", p.Type)
		}
		*at = kafka.QuotaOf(p.Name)
	}
	return e, nil
}

func quotaOps(ops []kmsg.AlterClientQuotasRequestEntryOp) []broker.QuotaOp {
	out := make([]broker.QuotaOp, len(ops))
	for i := range ops {
		if out[i].Name = ops[i].Key; !ops[i].Remove {
			out[i].Value = &ops[i].Value
		}
	}
	return out
}

func alteredEntity(e kafka.QuotaEntity) (out []kmsg.AlterClientQuotasResponseEntryEntity) {
	for kind, name := range e.Parts() {
		o := kmsg.NewAlterClientQuotasResponseEntryEntity()
		o.Type, o.Name = kind, name
		out = append(out, o)
	}
	return out
}
