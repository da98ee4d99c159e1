package differential

import (
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// The names that random sequences use: few, so that steps meet.
const (
	slots      = 3 // topics
	partitions = 3 // the most that a topic of theirs has
	groups     = 2
	producers  = 2
)

// barrier is a topic whose config tells how far Kafka's broker is. Its name is one
// of another run, which is not compared.
const barrier = "barrier-AAAAAAAA"

// world is one side in a random sequence, with what a client there knows. Both
// sides' worlds know the same, but for ids.
type world struct {
	*script
	label   string // what the step does
	written bool   // the step has written what is not on disk yet
	changed bool   // the step has changed what Kafka tells its broker a moment later
	ready   bool   // the barrier's topic is there
	marks   int
	ids     [slots][16]byte
	next    map[string]int32 // by producer and partition: the sequence number that comes next
	cut     map[string]bool  // by topic and partition: DeleteRecords was asked for
	gzip    bool             // the broker may have compressed batches itself
	epochs  [producers]int16
	pid     [producers]int64
	members [groups]member
	txn     [txns]txnState
	crowd   [groups]map[string]consumer // by member id
	modern  [groups]bool                // it has had members of the consumer protocol
	sharing [groups]map[string]sharer   // by member id
	settled [groups]int32               // the share group's epoch at which it had settled
	fresh   int                         // groups with expressions
	reached map[place]int64             // the offset behind all that a share group has had
	// batchEnds are the last offsets of the batches of a partition, whose group is 0.
	batchEnds map[place][]int64
	// afresh are the partitions in which a share group has to begin once more.
	afresh map[place]bool
	cached map[place]bool // somebody has fetched from it: Kafka knows it
}

// member is the one member of a classic group.
type member struct {
	id         string
	generation int32
}

func newWorld(on *side) *world { return &world{script: newScript(on, "", 0)} }

// begin starts a sequence with nothing there.
func (w *world) begin(run string, base int64) {
	keep := w.script
	w.script = newScript(keep.side, run, base)
	w.script.tamper = keep.tamper
	w.epoch, w.ids, w.next, w.epochs = w.firstEpoch(), [slots][16]byte{}, map[string]int32{}, [producers]int16{}
	w.changed, w.cut, w.gzip, w.fresh = false, map[string]bool{}, false, 0
	w.modern = [groups]bool{}
	w.reached, w.batchEnds, w.afresh, w.cached = map[place]int64{}, map[place][]int64{}, map[place]bool{}, map[place]bool{}
	for i := range w.pid {
		w.pid[i] = w.producerID()
		w.producer(w.pid[i]) // named by their order
	}
	for i := range w.txn {
		w.txn[i] = txnState{pid: -1, epoch: -1}
	}
	for i := range w.members {
		w.members[i] = member{generation: -1}
		w.crowd[i], w.sharing[i] = map[string]consumer{}, map[string]sharer{}
		w.coordinated(w.groupName(i))
	}
}

// end deletes what a sequence has made: many sequences are played on one Kafka.
func (w *world) end() {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = 10_000
	for i := range slots {
		req.TopicNames = append(req.TopicNames, w.topicName(i))
	}
	ask[*kmsg.DeleteTopicsResponse](w.side, req, 5)
}

// coordinated waits until a group has its coordinator: Kafka makes the topic of the
// groups' state when it is first asked for.
func (w *world) coordinated(group string) {
	w.t.Helper()
	if w.name != "kafka" {
		return
	}
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKey = group
	read := kmsg.NewPtrOffsetFetchRequest()
	read.Group = group
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if ask[*kmsg.FindCoordinatorResponse](w.side, find, 3).ErrorCode == 0 && ask[*kmsg.OffsetFetchResponse](w.side, read, 7).ErrorCode == 0 {
			return
		}
	}
	w.t.Fatal(w.name, ": no coordinator for groups")
}

// firstEpoch is the leader epoch of new partitions.
func (w *world) firstEpoch() int32 {
	if !w.ready {
		w.ready = true
		w.ensureTopic(barrier)
		w.transactional("warm-AAAAAAAA")
	}
	return ask[*kmsg.MetadataResponse](w.side, metadata(false, barrier), 12).Topics[0].Partitions[0].LeaderEpoch
}

// ensureTopic is createTopic for one that may be there from a run before.
func (w *world) ensureTopic(name string) {
	if ask[*kmsg.MetadataResponse](w.side, metadata(false, name), 12).Topics[0].ErrorCode != 0 {
		w.createTopic(name, 1)
	}
}

func (w *world) topicName(slot int) string { return fmt.Sprintf("t%d-%s", slot, w.run) }
func (w *world) groupName(slot int) string { return fmt.Sprintf("g%d-%s", slot, w.run) }

// ask notes a request as what this step does.
func (w *world) ask(what string, req kmsg.Request, version int16) kmsg.Response {
	return w.askAs("", what, req, version)
}

// askAs is ask with a word that the lines of the answer begin with, too, for what has
// divergences of its own.
func (w *world) askAs(kind, what string, req kmsg.Request, version int16) kmsg.Response {
	label := fmt.Sprintf("%s v%d%s", strings.TrimSuffix(kmsg.NameForKey(req.Key()), "Request"), version, kind)
	if w.label != "" {
		w.label += "; "
	}
	w.label += label + " " + what
	return w.note(label, req, version)
}

// change is ask for a request that may change what there is.
func (w *world) change(what string, req kmsg.Request, version int16) {
	from := len(w.lines)
	w.ask(what, req, version)
	for _, line := range w.lines[from:] {
		w.changed = w.changed || strings.HasSuffix(line, ".ErrorCode = ok")
	}
}

// settle waits until a change is known to all parts of the broker, and takes over
// the topics' ids. Kafka's broker learns of changes from its controller's log, in
// order: when it knows two marks that were made after the change, it is done with it.
func (w *world) settle() {
	if w.written {
		w.written = false
		w.flush()
	}
	if !w.changed {
		return
	}
	w.changed = false
	if w.name == "kafka" {
		w.mark()
		w.mark()
	}
	names := make([]string, slots)
	for i := range names {
		names[i] = w.topicName(i)
	}
	for _, t := range ask[*kmsg.MetadataResponse](w.side, metadata(false, names...), 12).Topics {
		for i, name := range names {
			if t.Topic != nil && *t.Topic == name && t.ErrorCode == 0 {
				w.ids[i] = t.TopicID
				w.topics[t.TopicID] = fmt.Sprint("t", i)
			}
		}
	}
}

// flush waits until all that was written on this connection can be read: Leat shows
// what is on disk only, and acks=0 and 1 do not wait for it.
func (w *world) flush() {
	w.t.Helper()
	if w.name == "kafka" {
		return
	}
	b := kafka.Build(kafka.BatchSpec{}, []kafka.Record{{Value: []byte("flush"), Timestamp: w.base}})
	if code := ask[*kmsg.ProduceResponse](w.side, produce(barrier, [16]byte{}, -1, b), 9).Topics[0].Partitions[0].ErrorCode; code != 0 {
		w.t.Fatal(w.name, ": the barrier's topic cannot be written to: error ", code)
	}
}

// mark changes a config of the barrier's topic and waits until it is told.
func (w *world) mark() {
	w.t.Helper()
	w.marks++
	value := fmt.Sprint(1_000_000 + w.marks + int(time.Now().UnixNano()%1_000_000)*1000)
	set := kmsg.NewPtrIncrementalAlterConfigsRequest()
	set.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{
		ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: barrier,
		Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "flush.ms", Value: &value}},
	}}
	ask[*kmsg.IncrementalAlterConfigsResponse](w.side, set, 1)
	get := kmsg.NewPtrDescribeConfigsRequest()
	get.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: barrier, ConfigNames: []string{"flush.ms"}}}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if c := ask[*kmsg.DescribeConfigsResponse](w.side, get, 4).Resources[0].Configs; len(c) == 1 && c[0].Value != nil && *c[0].Value == value {
			return
		}
	}
	w.t.Fatal(w.name, ": a change of a config is never told")
}
