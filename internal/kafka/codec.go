package kafka

import "fmt"

var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

// String is the codec's name in configs and tools.
func (c Codec) String() string {
	if c.Known() {
		return codecNames[c]
	}
	return fmt.Sprintf("codec %d", int8(c))
}

// Known reports whether the number is a codec of the protocol.
func (c Codec) Known() bool { return c >= CodecNone && c <= CodecZstd }
