package differential

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"reflect"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// script is a case's run on one side: it sends requests and notes the answers.
type script struct {
	*side
	run    string // what makes the names of this run's topics its own
	topics map[[16]byte]string
	epoch  int32 // leader epoch of all partitions
	pids   map[int64]string
	lines  []string
	// base is the moment the case counts from, the same on both sides (ms).
	base int64
}

// topic makes a topic; its name is only this run's.
func (s *script) topic(name string, partitions int32, configs ...string) (string, [16]byte) {
	s.t.Helper()
	full := name + "-" + s.run
	id, epoch := s.createTopic(full, partitions, configs...)
	s.topics[id], s.epoch = name, epoch
	return full, id
}

// note sends a request and notes the answer, field by field.
func (s *script) note(label string, req kmsg.Request, version int16) kmsg.Response {
	s.t.Helper()
	s.send(req, version)
	resp, err := s.receive(req)
	if err != nil {
		s.lines = append(s.lines, label+": "+err.Error())
		return nil
	}
	s.walk(label, reflect.ValueOf(resp).Elem())
	return resp
}

// ignored are fields in which no client sees a difference.
var ignored = map[string]bool{"Version": true, "UnknownTags": true, "ThrottleMillis": true, "Brokers": true, "CurrentLeader": true}

func (s *script) walk(at string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.IsExported() && !ignored[f.Name] {
				s.field(at, f.Name, v.Field(i))
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			s.say(at, "null")
			return
		}
		s.say(at, fmt.Sprint("length ", v.Len()))
		for _, i := range s.order(v) {
			s.walk(at+s.key(v.Index(i)), v.Index(i))
		}
	case reflect.Pointer:
		if v.IsNil() {
			s.say(at, "null")
			return
		}
		s.walk(at, v.Elem())
	default:
		s.say(at, fmt.Sprint(v.Interface()))
	}
}

func (s *script) say(at, what string) { s.lines = append(s.lines, at+" = "+what) }

// order are the indexes of a list by key: brokers may answer in any order.
func (s *script) order(v reflect.Value) []int {
	index := make([]int, v.Len())
	for i := range index {
		index[i] = i
	}
	sort.SliceStable(index, func(a, b int) bool { return s.key(v.Index(index[a])) < s.key(v.Index(index[b])) })
	return index
}

func (s *script) key(v reflect.Value) string {
	if v.Kind() != reflect.Struct {
		return ""
	}
	for _, name := range []string{"Topic", "TopicID", "Partition", "RelativeOffset"} {
		f := v.FieldByName(name)
		switch {
		case !f.IsValid() || f.IsZero() && name != "Partition" && name != "RelativeOffset":
		case name == "TopicID":
			return "/" + s.topicName(f.Interface().([16]byte))
		case f.Kind() == reflect.String:
			return "/" + strings.TrimSuffix(f.String(), "-"+s.run)
		default:
			return fmt.Sprint("/", f.Interface())
		}
	}
	return ""
}

func (s *script) topicName(id [16]byte) string {
	if name, ok := s.topics[id]; ok {
		return name
	}
	return hex.EncodeToString(id[:4])
}

// field notes one field, in words that do not depend on the side.
func (s *script) field(at, name string, v reflect.Value) {
	at += "." + name
	switch name {
	case "ErrorCode":
		code := int16(v.Int())
		if err := kerr.ErrorForCode(code); err != nil {
			s.say(at, err.(*kerr.Error).Message)
			return
		}
		s.say(at, "ok")
	case "ErrorMessage", "BatchIndexErrorMessage": // the words are each broker's own
	case "Topic", "TopicID", "Partition": // in the key
	case "LeaderEpoch", "Epoch":
		s.say(at, s.relative(int32(v.Int())))
	case "SessionID":
		s.say(at, map[bool]string{true: "none", false: "some"}[v.Int() == 0])
	case "ProducerID":
		s.say(at, s.producer(v.Int()))
	case "LogAppendTime", "Timestamp":
		s.say(at, s.moment(v.Int()))
	case "RecordBatches":
		s.batches(at, v.Bytes(), v.IsNil())
	default:
		s.walk(at, v)
	}
}

func (s *script) relative(epoch int32) string {
	if epoch < 0 {
		return fmt.Sprint(epoch)
	}
	return fmt.Sprintf("present%+d", epoch-s.epoch)
}

// producer is a producer id by the order in which the ids were seen.
func (s *script) producer(id int64) string {
	if id < 0 {
		return fmt.Sprint(id)
	}
	if _, ok := s.pids[id]; !ok {
		s.pids[id] = fmt.Sprint("producer ", len(s.pids))
	}
	return s.pids[id]
}

// moment is a timestamp: of the case, of just now, or neither.
func (s *script) moment(ts int64) string {
	switch now := time.Now().UnixMilli(); {
	case ts < 0:
		return fmt.Sprint(ts)
	case ts >= s.base-1000 && ts <= s.base+1000:
		return fmt.Sprintf("base%+d", ts-s.base)
	case ts > s.base+1000 && ts <= now+1000:
		return "now"
	}
	return fmt.Sprint("at ", ts)
}

func (s *script) batches(at string, data []byte, null bool) {
	if null {
		s.say(at, "null")
		return
	}
	n := 0
	for ; len(data) > 0; n++ {
		b, rest, err := kafka.NextBatch(data)
		if err != nil {
			s.say(at, "cut short")
			break
		}
		data = rest
		var records []string
		for r, err := range b.Records(1 << 20) {
			if err != nil {
				s.t.Fatal(s.name, err)
			}
			records = append(records, fmt.Sprintf("%d:%s:%q", r.Offset, s.moment(r.Timestamp), r.Value[:min(8, len(r.Value))]))
		}
		s.say(fmt.Sprintf("%s[%d]", at, n), fmt.Sprintf("%d+%d epoch %s %s attributes %x crc %v, first %s, max %s, %s/%d/%d: %s",
			b.BaseOffset(), b.LastOffsetDelta(), s.relative(b.LeaderEpoch()), b.Codec(), b.Attributes(), b.VerifyCRC() == nil,
			s.moment(b.FirstTimestamp()), s.moment(b.MaxTimestamp()), s.producer(b.ProducerID()), b.ProducerEpoch(), b.BaseSequence(), strings.Join(records, " ")))
	}
	s.say(at, fmt.Sprint(n, " batches"))
}

// difference is what the sides say differently, and why that is so: for each side
// a pattern of the lines that only it has; "" for none.
type difference struct{ kafka, leat, because string }

// compare runs a case on both sides. Each line in which they differ must be one of
// known, and each of known must be there.
func compare(t *testing.T, known []difference, run func(s *script)) {
	t.Helper()
	k, l := sides(t)
	random := rand.Text()[:8]
	base := time.Now().UnixMilli() - 10_000
	both := [2][]string{}
	for i, side := range []*side{k, l} {
		s := &script{side: side, run: random, topics: map[[16]byte]string{}, pids: map[int64]string{}, base: base}
		run(s)
		both[i] = s.lines
	}
	if len(both[0]) == 0 {
		t.Error("nothing was compared")
	}
	only := func(a, b []string) (out []string) {
		index := map[string]bool{}
		for _, line := range b {
			index[line] = true
		}
		for _, line := range a {
			if !index[line] {
				out = append(out, line)
			}
		}
		return out
	}
	check := func(name string, got []string, pattern func(difference) string) {
		seen := map[string]bool{}
		for _, line := range got {
			expected := false
			for _, d := range known {
				p := pattern(d)
				if p != "" && regexp.MustCompile("^(?:"+p+")").MatchString(line) {
					expected, seen[p] = true, true
				}
			}
			if !expected {
				t.Errorf("only %s: %s", name, line)
			}
		}
		for _, d := range known {
			if p := pattern(d); p != "" && !seen[p] {
				t.Errorf("no longer only %s, where it was because %s: %s", name, d.because, p)
			}
		}
	}
	check("kafka", only(both[0], both[1]), func(d difference) string { return d.kafka })
	check("leat", only(both[1], both[0]), func(d difference) string { return d.leat })
}

// batch builds a batch of records with these values, one ms apart from base on.
func (s *script) batch(spec kafka.BatchSpec, values ...string) kafka.Batch {
	var records []kafka.Record
	for i, v := range values {
		records = append(records, kafka.Record{Key: []byte("k"), Value: []byte(v), Timestamp: s.base + int64(i)})
	}
	return kafka.Build(spec, records)
}

// produce is a request of one batch per partition, from 0 on.
func produce(topic string, id [16]byte, acks int16, batches ...[]byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = acks, 10_000
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic, rt.TopicID = topic, id
	for i, b := range batches {
		rp := kmsg.NewProduceRequestTopicPartition()
		rp.Partition, rp.Records = int32(i), bytes.Clone(b)
		rt.Partitions = append(rt.Partitions, rp)
	}
	req.Topics = append(req.Topics, rt)
	return req
}

// fetch is a request for one partition, without a session.
func fetch(topic string, id [16]byte, partition int32, offset int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = 0, 1, 1<<20, -1
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic, rt.TopicID = topic, id
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes, rp.CurrentLeaderEpoch = partition, offset, 1<<20, -1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
}

func listOffsets(topic string, partition int32, ts int64, epoch int32) *kmsg.ListOffsetsRequest {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewListOffsetsRequestTopicPartition()
	rp.Partition, rp.Timestamp, rp.CurrentLeaderEpoch = partition, ts, epoch
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
}
