package differential

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
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
	// members are the ids of groups' members by the order in which they were seen.
	members map[string]string
	lines   []string
	tamper  func(kmsg.Response) // changes an answer before it is noted: a lie that must be found
	thin    func(kmsg.Response) // takes out of an answer what is not compared
	// base is the moment the case counts from, the same on both sides (ms).
	base int64
	// counted: the epochs of a group are told from this one on; 0 for as they are.
	counted int32
	// internal: the topics of the brokers' own state are compared, too.
	internal bool
}

func newScript(on *side, run string, base int64) *script {
	return &script{side: on, run: run, topics: map[[16]byte]string{}, pids: map[int64]string{}, members: map[string]string{}, base: base}
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
	if s.tamper != nil {
		s.tamper(resp)
	}
	if s.thin != nil {
		s.thin(resp)
	}
	s.walk(label, reflect.ValueOf(resp).Elem())
	return resp
}

// ignored are fields in which no client sees a difference.
var ignored = map[string]bool{"Version": true, "UnknownTags": true, "ThrottleMillis": true, "Brokers": true, "CurrentLeader": true, "Documentation": true, "TotalBytes": true, "UsableBytes": true}

func (s *script) walk(at string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			switch {
			case !f.IsExported() || ignored[f.Name]:
			case f.Name == "Epoch" && v.FieldByName("AssignmentEpoch").IsValid(): // a group's, not a leader's
				s.groupEpoch(at+".Epoch", int32(v.Field(i).Int()))
			default:
				s.field(at, f.Name, v.Field(i))
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			s.say(at, "null")
			return
		}
		order := s.order(v)
		if len(order) == 0 && v.Len() > 0 {
			s.say(at, "null") // there is nothing of this run
			return
		}
		s.say(at, fmt.Sprint("length ", len(order)))
		for _, i := range order {
			s.walk(at+s.key(v.Index(i)), v.Index(i))
		}
	case reflect.Pointer:
		if v.IsNil() {
			s.say(at, "null")
			return
		}
		s.walk(at+s.key(v.Elem()), v.Elem())
	default:
		s.say(at, fmt.Sprint(v.Interface()))
	}
}

func (s *script) say(at, what string) { s.lines = append(s.lines, at+" = "+what) }

// ofRun is the end of a name that some run made.
var ofRun = regexp.MustCompile(`-[A-Z2-7]{8}$`)

// foreign tells the elements of a list that are no concern of this run: what other
// runs have made, and the topics of the brokers' own state, which are there or not.
func (s *script) foreign(v reflect.Value) bool {
	if v.Kind() != reflect.Struct {
		return false
	}
	for _, field := range []string{"Topic", "Name", "Group", "TransactionalID"} {
		f := v.FieldByName(field)
		if f.IsValid() && f.Kind() == reflect.Pointer {
			f = f.Elem()
		}
		if !f.IsValid() || f.Kind() != reflect.String {
			continue
		}
		name := f.String()
		if ofRun.MatchString(name) && !strings.HasSuffix(name, "-"+s.run) || !s.internal && slices.Contains(ownState, name) {
			return true
		}
	}
	return false
}

// ownState are the topics of a broker's own state.
var ownState = []string{"__consumer_offsets", "__transaction_state", "__share_group_state"}

// order are the indexes of a list by key: brokers may answer in any order.
func (s *script) order(v reflect.Value) []int {
	var index []int
	for i := range v.Len() {
		if !s.foreign(v.Index(i)) {
			index = append(index, i)
		}
	}
	sort.SliceStable(index, func(a, b int) bool { return s.key(v.Index(index[a])) < s.key(v.Index(index[b])) })
	return index
}

func (s *script) key(v reflect.Value) string {
	if v.Kind() != reflect.Struct {
		return ""
	}
	if f := v.FieldByName("LastSequence"); f.IsValid() { // DescribeProducers
		return "/" + s.producer(v.FieldByName("ProducerID").Int())
	}
	for _, name := range []string{"Topic", "TopicID", "Partition", "RelativeOffset", "Group", "GroupID", "TransactionalID", "MemberID", "Type", "Name"} {
		f := v.FieldByName(name)
		switch {
		case !f.IsValid() || f.IsZero() && name != "Partition" && name != "RelativeOffset":
		case name == "TopicID":
			return "/" + s.topicName(f.Interface().([16]byte))
		case name == "MemberID" && f.Kind() == reflect.String:
			return "/" + s.member(f.String())
		case f.Kind() == reflect.Pointer:
			if !f.IsNil() && f.Elem().Kind() == reflect.String {
				return "/" + strings.TrimSuffix(f.Elem().String(), "-"+s.run)
			}
		case name == "Type" && v.FieldByName("Name").IsValid():
			return fmt.Sprintf("/%v:%s", f.Interface(), strings.TrimSuffix(v.FieldByName("Name").String(), "-"+s.run))
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
	case "ErrorMessage", "BatchIndexErrorMessage", "AcknowledgeErrorMessage": // the words are each broker's own
	case "Topic", "TopicID", "Partition": // in the key
	case "LeaderEpoch", "Epoch", "CoordinatorEpoch":
		s.say(at, s.relative(int32(v.Int())))
	case "MemberEpoch", "GroupEpoch", "AssignmentEpoch":
		s.groupEpoch(at, int32(v.Int()))
	case "ClusterID", "FinalizedFeaturesEpoch":
		s.say(at, map[bool]string{true: "none", false: "some"}[fmt.Sprint(v.Interface()) == "-1" || v.Kind() == reflect.Pointer && v.IsNil()])
	case "SessionID":
		s.say(at, map[bool]string{true: "none", false: "some"}[v.Int() == 0])
	case "MemberID", "LeaderID":
		if v.Kind() != reflect.String {
			s.walk(at, v)
			return
		}
		s.say(at, s.member(v.String()))
	case "Dir", "Host", "Port": // each broker's own
		s.say(at, map[bool]string{true: "none", false: "some"}[v.IsZero()])
	case "ProducerID":
		s.say(at, s.producer(v.Int()))
	case "LogAppendTime", "Timestamp", "LastTimestamp", "StartTimestamp", "LastFetchTimestamp", "LastCaughtUpTimestamp":
		s.say(at, s.moment(v.Int()))
	case "RecordBatches", "Records":
		if v.Kind() != reflect.Slice || v.Type().Elem().Kind() != reflect.Uint8 {
			s.walk(at, v)
			return
		}
		s.batches(at, v.Bytes(), v.IsNil())
	default:
		s.walk(at, v)
	}
}

// groupEpoch is an epoch of a group or of a member.
func (s *script) groupEpoch(at string, epoch int32) {
	if s.counted == 0 || epoch <= 0 {
		s.say(at, fmt.Sprint(epoch))
	} else {
		s.say(at, fmt.Sprintf("settled%+d", epoch-s.counted))
	}
}

func (s *script) relative(epoch int32) string {
	if epoch < 0 {
		return fmt.Sprint(epoch)
	}
	return fmt.Sprintf("present%+d", epoch-s.epoch)
}

// member is the id of a group's member: that of a broker's making by the order in which
// such ids were seen.
func (s *script) member(id string) string {
	if len(id) < 20 { // the client's
		return id
	}
	if _, ok := s.members[id]; !ok {
		s.members[id] = fmt.Sprint("member ", len(s.members))
	}
	return s.members[id]
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
			value := r.Value[:min(8, len(r.Value))]
			if b.Control() { // after its version a marker has its coordinator's epoch
				value = value[:2]
			}
			records = append(records, fmt.Sprintf("%d:%s:%q", r.Offset, s.moment(r.Timestamp), value))
		}
		s.say(fmt.Sprintf("%s[%d]", at, n), fmt.Sprintf("%d+%d epoch %s %s attributes %x crc %v, first %s, max %s, %s/%d/%d: %s",
			b.BaseOffset(), b.LastOffsetDelta(), s.relative(b.LeaderEpoch()), b.Codec(), b.Attributes(), b.VerifyCRC() == nil,
			s.moment(b.FirstTimestamp()), s.moment(b.MaxTimestamp()), s.producer(b.ProducerID()), b.ProducerEpoch(), b.BaseSequence(), strings.Join(records, " ")))
	}
	s.say(at, fmt.Sprint(n, " batches"))
}

// valueOf is what walk takes.
func valueOf(resp kmsg.Response) reflect.Value { return reflect.ValueOf(resp).Elem() }
