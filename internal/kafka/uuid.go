package kafka

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
)

// UUID is a topic id (KIP-516).
type UUID [16]byte

// NewUUID returns a random (version 4) id. Like Kafka's it is never one of the
// reserved ids (zero, one) and its text never starts with a dash, so that it
// can be typed as an argument.
func NewUUID() UUID {
	return DrawUUID(func(p []byte) { rand.Read(p) }) // never fails (crypto/rand since Go 1.24)
}

// DrawUUID is NewUUID with random bytes of the caller's.
func DrawUUID(random func(p []byte)) UUID {
	for {
		var u UUID
		random(u[:])
		u[6] = u[6]&0x0f | 0x40
		u[8] = u[8]&0x3f | 0x80
		if u.String()[0] != '-' {
			return u
		}
	}
}

// String is Kafka's text form: base64url without padding, 22 characters.
func (u UUID) String() string { return base64.RawURLEncoding.EncodeToString(u[:]) }

// IsZero reports whether the id is absent.
func (u UUID) IsZero() bool { return u == UUID{} }

// ParseUUID reads the text form.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(u) {
		return u, fmt.Errorf("topic id %q is not 22 characters of base64url", s)
	}
	copy(u[:], b)
	return u, nil
}
