package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

// jsonRecord is a record as one line of JSON, in the shape of kcat -J: headers
// are a flat list of names and values in turn, ts is in milliseconds. What is
// not UTF-8 has no place in a JSON string, so it is null there and stands whole
// in the field of the same name with _base64.
type jsonRecord struct {
	Topic     string `json:"topic,omitempty"`
	Partition *int32 `json:"partition,omitempty"`
	Offset    int64  `json:"offset"`
	// TSType is create, logappend or unknown.
	TSType  string    `json:"tstype,omitempty"`
	TS      *int64    `json:"ts,omitempty"`
	Headers []*string `json:"headers,omitempty"`
	// HeadersBase64 stands in for Headers when any one is not UTF-8; all names and
	// values are base64 then.
	HeadersBase64 []*[]byte `json:"headers_base64,omitempty"`
	Key           *string   `json:"key"`
	KeyBase64     []byte    `json:"key_base64,omitempty"`
	Payload       *string   `json:"payload"`
	PayloadBase64 []byte    `json:"payload_base64,omitempty"`
}

func toJSON(r *kgo.Record) jsonRecord {
	ts := r.Timestamp.UnixMilli()
	j := jsonRecord{Topic: r.Topic, Partition: &r.Partition, Offset: r.Offset, TSType: tsType(r), TS: &ts}
	j.Key, j.KeyBase64 = text(r.Key)
	j.Payload, j.PayloadBase64 = text(r.Value)
	plain := true
	for _, h := range r.Headers {
		plain = plain && utf8.Valid(h.Value) && utf8.ValidString(h.Key)
	}
	for _, h := range r.Headers {
		if plain {
			name := h.Key
			value, _ := text(h.Value)
			j.Headers = append(j.Headers, &name, value)
			continue
		}
		name, value := []byte(h.Key), h.Value
		j.HeadersBase64 = append(j.HeadersBase64, &name, nil)
		if value != nil {
			j.HeadersBase64[len(j.HeadersBase64)-1] = &value
		}
	}
	return j
}

// text returns b as a string, or in the second place if it is not UTF-8; null
// is null in both.
func text(b []byte) (*string, []byte) {
	if b == nil {
		return nil, nil
	}
	if !utf8.Valid(b) {
		return nil, b
	}
	s := string(b)
	return &s, nil
}

func tsType(r *kgo.Record) string {
	switch r.Attrs.TimestampType() {
	case 0:
		return "create"
	case 1:
		return "logappend"
	}
	return "unknown"
}

// fromJSON is the record to produce for j: everything but where it stood in its log.
func fromJSON(j jsonRecord) (*kgo.Record, error) {
	r := &kgo.Record{Topic: j.Topic, Partition: -1, Key: blob(j.Key, j.KeyBase64), Value: blob(j.Payload, j.PayloadBase64)}
	if j.Partition != nil {
		r.Partition = *j.Partition
	}
	if j.TS != nil && *j.TS >= 0 {
		r.Timestamp = time.UnixMilli(*j.TS)
	}
	if len(j.Headers)%2 != 0 || len(j.HeadersBase64)%2 != 0 {
		return nil, errors.New("headers: want names and values in turn, this is an odd number")
	}
	for i := 0; i+1 < len(j.Headers); i += 2 {
		if j.Headers[i] == nil {
			return nil, errors.New("headers: a name is null")
		}
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: *j.Headers[i], Value: blob(j.Headers[i+1], nil)})
	}
	for i := 0; i+1 < len(j.HeadersBase64); i += 2 {
		if j.HeadersBase64[i] == nil {
			return nil, errors.New("headers_base64: a name is null")
		}
		h := kgo.RecordHeader{Key: string(*j.HeadersBase64[i])}
		if v := j.HeadersBase64[i+1]; v != nil {
			h.Value = *v
		}
		r.Headers = append(r.Headers, h)
	}
	return r, nil
}

func blob(s *string, b []byte) []byte {
	if s != nil {
		return []byte(*s)
	}
	return b
}

// lineReader reads one value a line, of any length; the last line needs no newline.
func lineReader(in io.Reader) func() (*kgo.Record, error) {
	br := bufio.NewReaderSize(in, 64<<10)
	return func() (*kgo.Record, error) {
		line, err := br.ReadBytes('\n')
		if len(line) == 0 && err != nil {
			return nil, err
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return &kgo.Record{Partition: -1, Value: bytes.TrimSuffix(line, []byte("\n"))}, nil
	}
}

// jsonReader reads one jsonRecord a line, and skips empty lines. A line that is
// no such record is a badRecord.
func jsonReader(in io.Reader) func() (*kgo.Record, error) {
	lines := lineReader(in)
	return func() (*kgo.Record, error) {
		for {
			l, err := lines()
			if err != nil {
				return nil, err
			}
			if len(bytes.TrimSpace(l.Value)) == 0 {
				continue
			}
			var j jsonRecord
			d := json.NewDecoder(bytes.NewReader(l.Value))
			if err := d.Decode(&j); err != nil {
				return nil, badRecord{fmt.Errorf("not a record in JSON: %w", err)}
			}
			if _, err := d.Token(); !errors.Is(err, io.EOF) {
				return nil, badRecord{errors.New("more than one record on a line")}
			}
			r, err := fromJSON(j)
			if err != nil {
				return nil, badRecord{err}
			}
			return r, nil
		}
	}
}
