package kafka

import (
	"iter"
	"strings"
)

// Entity types of client quotas, and the quotas that there are (KIP-546, KIP-599,
// KIP-612), as the protocol calls them.
const (
	QuotaUser     = "user"
	QuotaClientID = "client-id"
	QuotaIP       = "ip"

	QuotaProducerByteRate       = "producer_byte_rate"
	QuotaConsumerByteRate       = "consumer_byte_rate"
	QuotaRequestPercentage      = "request_percentage"
	QuotaControllerMutationRate = "controller_mutation_rate"
	QuotaConnectionCreationRate = "connection_creation_rate"
)

// QuotaScope says how a QuotaPart speaks of its type.
type QuotaScope int8

// The scopes. The zero value is a type that the entity does not speak of.
const (
	QuotaAbsent QuotaScope = iota
	QuotaDefault
	QuotaNamed
)

// QuotaPart is what an entity says of one type: nothing, the default (everybody of the
// type who has no quota by name), or a name.
type QuotaPart struct {
	Scope QuotaScope
	Name  string // of QuotaNamed
}

// QuotaOf is the part for a name as the protocol has it: nil is the default.
func QuotaOf(name *string) QuotaPart {
	if name == nil {
		return QuotaPart{Scope: QuotaDefault}
	}
	return QuotaPart{QuotaNamed, *name}
}

// QuotaEntity is whom a quota is for. It can be compared.
type QuotaEntity struct {
	ClientID, IP, User QuotaPart
}

// Part returns the entity's part of a type, nil where there is no such type.
func (e *QuotaEntity) Part(kind string) *QuotaPart {
	switch kind {
	case QuotaUser:
		return &e.User
	case QuotaClientID:
		return &e.ClientID
	case QuotaIP:
		return &e.IP
	}
	return nil
}

// Parts yields the types that the entity speaks of, in the order in which Kafka lists
// them, with their names; nil for the default.
func (e QuotaEntity) Parts() iter.Seq2[string, *string] {
	return func(yield func(string, *string) bool) {
		for _, kind := range []string{QuotaClientID, QuotaUser, QuotaIP} {
			p := e.Part(kind)
			if p.Scope == QuotaAbsent {
				continue
			}
			var name *string
			if p.Scope == QuotaNamed {
				name = &p.Name
			}
			if !yield(kind, name) {
				return
			}
		}
	}
}

// Size is of how many types the entity speaks.
func (e QuotaEntity) Size() (n int) {
	for range e.Parts() {
		n++
	}
	return n
}

// String is the entity as Kafka's error messages have it.
func (e QuotaEntity) String() string {
	var parts []string
	for kind, name := range e.Parts() {
		text := "null"
		if name != nil {
			text = *name
		}
		parts = append(parts, kind+"="+text)
	}
	return "ClientQuotaEntity(entries={" + strings.Join(parts, ", ") + "})"
}
