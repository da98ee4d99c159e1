package clients

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Sends is how many records a client sends in all its codecs in TestExchange.
func (c Client) Sends() (n int) {
	for _, codec := range c.Codecs {
		n += len(messages(c, codec))
	}
	return n
}

// messages are what a client sends in one codec: every shape of key, value,
// header and time that it is able to send.
func messages(c Client, codec string) []record {
	binary := make([]byte, 0, 512)
	for i := range 512 {
		if b := byte(i + 1); c.AnyBytes || !strings.Contains(kcatKeyEnd+kcatRecordEnd+"\x00", string(rune(b))) {
			binary = append(binary, b)
		}
	}
	headers := [][]kgo.RecordHeader{
		nil,
		{{Key: "trace", Value: []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")}},
		{{Key: "same", Value: []byte("1")}, {Key: "same", Value: []byte("2")}, {Key: "größe", Value: []byte("groß")}, {Key: "empty", Value: []byte{}}},
	}
	if c.NullHeaders {
		headers = append(headers, []kgo.RecordHeader{{Key: "null"}, {Key: "after", Value: []byte("it")}})
	}
	if c.AnyBytes {
		headers = append(headers, []kgo.RecordHeader{{Key: "binary", Value: binary}})
	}
	var all []record
	for i, h := range headers {
		id := fmt.Sprintf("%s %s %d", c.Name, codec, i)
		all = append(all,
			record{key: []byte("text " + id), value: []byte("grün 世界 " + id)},
			record{key: []byte(id), value: append([]byte(id), binary...)},
			record{key: append([]byte(id), binary...), value: []byte(id)},
			record{key: []byte("large " + id), value: bytes.Repeat([]byte("to be compressed "+id), 4000)},
			record{value: []byte("no key " + id)},
			record{key: []byte("null value " + id)},
			record{key: []byte("empty value " + id), value: []byte{}},
			record{key: []byte{}, value: []byte("empty key " + id)},
		)
		for j := len(all) - 8; j < len(all); j++ {
			all[j].headers = h
		}
	}
	times := []int64{1, 999_999_999_999, 1_600_000_000_123, time.Now().UnixMilli()}
	for i := range all {
		all[i].partition = i % 2
		if c.Timestamps {
			all[i].time = times[i%len(times)]
		}
	}
	return all
}
