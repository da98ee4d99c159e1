package clients

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// record is a record as a client sends or reads it. A nil key or value is null.
type record struct {
	topic      string
	partition  int
	offset     int64
	time       int64 // ms; 0: the client takes its own
	key, value []byte
	headers    []kgo.RecordHeader
	// headerText is set instead of headers by kcat, which prints them so.
	headerText *string
}

// The programs of python/, golang/, node/ and java/ speak lines of fields with tabs between:
//
//	to a producer      partition  time  key  value  headers
//	from a producer    ack     number  partition  offset
//	                   failed  number  reason
//	from a consumer    record  topic  partition  offset  time  key  value  headers
//
// Times are in ms; partition and time are - where the client chooses. Key and
// value are in base64, - for null. Headers are name:value,name:value in base64.
// A producer ends when its input ends, a consumer commits and leaves the group.

func field(b []byte) string {
	if b == nil {
		return "-"
	}
	return base64.StdEncoding.EncodeToString(b)
}

func unfield(s string) ([]byte, error) {
	if s == "-" {
		return nil, nil
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if b == nil {
		b = []byte{}
	}
	return b, err
}

func (r record) line() string {
	partition, time := "-", "-"
	if r.partition >= 0 {
		partition = strconv.Itoa(r.partition)
	}
	if r.time != 0 {
		time = strconv.FormatInt(r.time, 10)
	}
	var headers []string
	for _, h := range r.headers {
		headers = append(headers, field([]byte(h.Key))+":"+field(h.Value))
	}
	return strings.Join([]string{partition, time, field(r.key), field(r.value), strings.Join(headers, ",")}, "\t")
}

func lineAck(line string) (ack, bool, error) {
	var a ack
	if _, err := fmt.Sscanf(line, "ack\t%d\t%d\t%d", &a.n, &a.partition, &a.offset); err != nil {
		return ack{}, false, fmt.Errorf("not acknowledged: %q", line)
	}
	return a, true, nil
}

func lineRecord(line string) (record, error) {
	f := strings.Split(line, "\t")
	if len(f) != 8 || f[0] != "record" {
		return record{}, fmt.Errorf("%q is no record", line)
	}
	r := record{topic: f[1]}
	var errs [6]error
	r.partition, errs[0] = strconv.Atoi(f[2])
	r.offset, errs[1] = strconv.ParseInt(f[3], 10, 64)
	r.time, errs[2] = strconv.ParseInt(f[4], 10, 64)
	r.key, errs[3] = unfield(f[5])
	r.value, errs[4] = unfield(f[6])
	for _, pair := range strings.Split(f[7], ",") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, ":")
		n, err1 := unfield(name)
		v, err2 := unfield(value)
		if err1 != nil || err2 != nil {
			errs[5] = fmt.Errorf("header %q", pair)
		}
		r.headers = append(r.headers, kgo.RecordHeader{Key: string(n), Value: v})
	}
	for _, err := range errs {
		if err != nil {
			return record{}, fmt.Errorf("%q: %w", line, err)
		}
	}
	return r, nil
}
