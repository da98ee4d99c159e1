package plog

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"

	"github.com/leatdev/leat/internal/vfs"
	"github.com/leatdev/leat/internal/wal"
)

// Incident is something that happened to the data: a torn tail that was cut, damage
// that was found, a decision about it. The data directory keeps the newest of them,
// so that they can be told of long after the log line has scrolled away.
type Incident struct {
	// Time (ms) and Start (the leader epoch) say when it was noted.
	Time  int64 `json:"time"`
	Start int32 `json:"start"`
	// What is one of the Incident constants.
	What string `json:"what"`
	// Topic, TopicID and Partition name the log; none for the whole directory.
	Topic     string `json:"topic,omitempty"`
	TopicID   string `json:"topic_id,omitempty"`
	Partition int32  `json:"partition"`
	// File is relative to the data directory, At and Bytes are a range in it.
	File  string `json:"file,omitempty"`
	At    int64  `json:"at,omitempty"`
	Bytes int64  `json:"bytes"`
	// First and Last are the offsets concerned; Last below First: none are known.
	First int64 `json:"first"`
	Last  int64 `json:"last"`
	// Text says it in words.
	Text string `json:"text"`
}

// What an Incident is.
const (
	// IncidentTorn: the torn tail of the write-ahead log was cut at a start.
	IncidentTorn = "torn"
	// IncidentFenced: the log is damaged and neither read nor written since.
	IncidentFenced = "fenced"
	// IncidentDamaged: a range of a segment is not what was written.
	IncidentDamaged = "damaged"
	// IncidentRepaired: somebody has decided about damage.
	IncidentRepaired = "repaired"
)

const (
	incidentsName = "incidents.json"
	// incidentsKept is how many are kept.
	incidentsKept = 1000
)

// Incidents returns what a data directory keeps of what happened to it, oldest
// first. None is no error.
func Incidents(fsys vfs.FS, dir string) ([]Incident, error) {
	name := path.Join(dir, incidentsName)
	b, err := vfs.ReadFile(fsys, name)
	if isNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Incident
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, fmt.Errorf("%s is not readable: %w", name, err)
	}
	return out, nil
}

// Note adds incidents to those that the data directory keeps, durably. Damage that
// is noted already is not noted again.
func (s *Store) Note(news ...Incident) error {
	s.noting.Lock()
	defer s.noting.Unlock()
	all, err := Incidents(s.opt.FS, s.opt.Dir)
	if err != nil {
		all = nil // better a new list than none any more
	}
	n := len(all)
	for _, in := range news {
		in.Time, in.Start = s.opt.Now().UnixMilli(), s.opt.Epoch
		if !slices.ContainsFunc(all, in.same) {
			all = append(all, in)
		}
	}
	if len(all) == n {
		return nil
	}
	b, err := json.MarshalIndent(all[max(0, len(all)-incidentsKept):], "", " ")
	if err != nil {
		return err
	}
	return vfs.ReplaceFile(s.opt.FS, path.Join(s.opt.Dir, incidentsName), append(b, '\n'))
}

func (in Incident) same(o Incident) bool {
	return in.What == IncidentDamaged && o.What == IncidentDamaged && in.TopicID == o.TopicID && in.Partition == o.Partition &&
		in.File == o.File && in.At == o.At && in.Bytes == o.Bytes
}

// note is Note of something that must not keep the store from going on.
func (s *Store) note(news ...Incident) {
	if err := s.Note(news...); err != nil {
		s.opt.Logger.Warn("cannot note what happened to the data", "err", err)
	}
}

// about starts an incident of one log.
func (l *Log) about(what string) Incident {
	return Incident{What: what, Topic: l.name, TopicID: l.id.Topic.String(), Partition: l.id.Partition, Last: -1}
}

// noteStart notes what a recovery has found; known logs were fenced before it.
func (s *Store) noteStart(r *Report, known map[*Log]bool) {
	var news []Incident
	for _, t := range r.Torn {
		in := Incident{What: IncidentTorn, Topic: t.Topic, TopicID: t.ID.Topic.String(), Partition: t.ID.Partition, Bytes: t.Bytes, First: t.First, Last: t.Last}
		in.Text = "cut from the end of the write-ahead log: it was never acknowledged as durable"
		news = append(news, in)
	}
	if r.TornBytes > 0 && len(r.Torn) == 0 {
		news = append(news, Incident{What: IncidentTorn, Partition: -1, Bytes: r.TornBytes, Last: -1,
			Text: "cut from the end of the write-ahead log, no batch can be made out in it"})
	}
	for _, l := range s.Logs() {
		if l.fence != nil && !known[l] {
			in := l.about(IncidentFenced)
			in.First, in.Last, in.Text = l.next, l.next-1, l.fence.Error()
			news = append(news, in)
		}
	}
	if len(news) > 0 {
		s.note(news...)
	}
}

// fencedLogs are those that are fenced now.
func (s *Store) fencedLogs() map[*Log]bool {
	out := map[*Log]bool{}
	for _, l := range s.logs {
		if l.fence != nil {
			out[l] = true
		}
	}
	return out
}

// TornLog is what a torn tail held of one log.
type TornLog struct {
	ID    ID
	Topic string // empty when the log is not there any more
	// Bytes of its batches, and their offsets. First and Last are both included.
	Bytes       int64
	First, Last int64
}

// tornLogs sums up the torn tail by log.
func (s *Store) tornLogs(batches []wal.TornBatch) []TornLog {
	byLog := map[ID]*TornLog{}
	var order []*TornLog
	for _, b := range batches {
		id := ID{b.Topic, b.Partition}
		t := byLog[id]
		if t == nil {
			t = &TornLog{ID: id, First: b.First, Last: b.Last}
			if l := s.logs[id]; l != nil {
				t.Topic = l.name
			}
			byLog[id] = t
			order = append(order, t)
		}
		t.Bytes += b.Bytes
		t.First, t.Last = min(t.First, b.First), max(t.Last, b.Last)
	}
	out := make([]TornLog, len(order))
	for i, t := range order {
		out[i] = *t
	}
	return out
}
