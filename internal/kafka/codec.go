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

// ParseCodec reads a codec's name: none (or uncompressed, as compression.type
// calls it), gzip, snappy, lz4, zstd. The topic config's "producer" is not a
// codec.
func ParseCodec(name string) (Codec, error) {
	if name == "uncompressed" {
		return CodecNone, nil
	}
	for i, n := range codecNames {
		if n == name {
			return Codec(i), nil
		}
	}
	return 0, fmt.Errorf("compression %q is not one of none, gzip, snappy, lz4, zstd", name)
}
