// Package lines reads and writes the lines by which the clients' tests drive a
// program (line.go in the Go package around this module).
package lines

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Header is a record's header; a nil value is null.
type Header struct {
	Key   string
	Value []byte
}

// Record is a record to be sent: partition and time (ms) are -1 where the client
// chooses, a nil key or value is null.
type Record struct {
	Partition  int32
	Time       int64
	Key, Value []byte
	Headers    []Header
}

var saying sync.Mutex

// Say writes a line of fields.
func Say(fields ...any) {
	var text []string
	for _, f := range fields {
		text = append(text, fmt.Sprint(f))
	}
	saying.Lock()
	defer saying.Unlock()
	fmt.Println(strings.Join(text, "\t"))
}

// Fatal ends the program with an error.
func Fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Encode is a field of bytes.
func Encode(b []byte) string {
	if b == nil {
		return "-"
	}
	return base64.StdEncoding.EncodeToString(b)
}

func decode(s string) []byte {
	if s == "-" {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(s)
	Fatal(err)
	if b == nil {
		return []byte{}
	}
	return b
}

// EncodeHeaders is the field of a record's headers.
func EncodeHeaders(headers []Header) string {
	var pairs []string
	for _, h := range headers {
		pairs = append(pairs, Encode([]byte(h.Key))+":"+Encode(h.Value))
	}
	return strings.Join(pairs, ",")
}

// Input calls fn with every record on standard input, with its number.
func Input(fn func(n int, r Record)) {
	in := bufio.NewReader(os.Stdin)
	for n := 0; ; n++ {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			return
		}
		Fatal(err)
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 5 {
			Fatal(fmt.Errorf("%q is no record", line))
		}
		r := Record{Partition: int32(number(f[0])), Time: number(f[1]), Key: decode(f[2]), Value: decode(f[3])}
		for _, pair := range strings.Split(f[4], ",") {
			if name, value, ok := strings.Cut(pair, ":"); ok {
				r.Headers = append(r.Headers, Header{string(decode(name)), decode(value)})
			}
		}
		fn(n, r)
	}
}

func number(s string) int64 {
	if s == "-" {
		return -1
	}
	n, err := strconv.ParseInt(s, 10, 64)
	Fatal(err)
	return n
}

// Stopped is closed when standard input ends.
func Stopped() <-chan struct{} {
	end := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is what counts
		close(end)
	}()
	return end
}
