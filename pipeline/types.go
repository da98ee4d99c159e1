package pipeline

import "time"

// Pipeline is one checked declaration. Slices are in the order of the file.
type Pipeline struct {
	Pos
	Name   string
	Topics []*Topic
	Models []*ModelSpec
	Steps  []*Step
}

// Format is how a topic's values are read and written.
type Format string

const (
	JSON      Format = "json"  // any JSON value, UTF-8; what a topic has that declares none
	PlainText Format = "text"  // UTF-8 text; values are strings
	Bytes     Format = "bytes" // anything; values are []byte
)

// Topic is what a pipeline declares of a topic. Zero values were not declared.
type Topic struct {
	Pos
	Name   string
	Format Format
	// Partitions, Retention (Forever for no end) and MaxBytes (of one record) are
	// used when the topic has to be created, and compared when it exists.
	Partitions int32
	Retention  time.Duration
	MaxBytes   int64
}

// Protocol is how a model is reached.
type Protocol string

const (
	HTTP   Protocol = "http"
	V2     Protocol = "v2"
	OpenAI Protocol = "openai"
	Exec   Protocol = "exec"
	Go     Protocol = "go"
)

// Protocols are all there are.
var Protocols = []Protocol{HTTP, V2, OpenAI, Exec, Go}

// ModelSpec declares one model. Which fields may be set depends on the
// protocol; the parser refuses the others. Zero values were not declared.
type ModelSpec struct {
	Pos
	Name     string
	Protocol Protocol
	URL      Text            // http, v2, openai
	Headers  map[string]Text // http, v2, openai
	// Model is the backend's own name of the model (v2, openai), or the name of
	// the registered function (go), where Name is meant when it is empty.
	Model      string
	Version    string
	Dimensions int                    // openai: the length of the vectors; 0 leaves it to the model
	Task       string                 // openai: embeddings
	Shape      string                 // http: single, list or v1
	Inputs     map[string]*TensorSpec // v2
	Command    []Text                 // exec
	Env        map[string]Text        // exec
	Dir        string                 // exec
	// Processes is how many children run (exec).
	Processes int
	// Timeout bounds one call, Concurrency how many run at once over all steps.
	Timeout     time.Duration
	Concurrency int
	Errors      ErrorSets
}

// TensorSpec says how one input tensor of a v2 model is made of a record.
type TensorSpec struct {
	Pos
	Datatype string
	// Shape is the shape of one record's part, without the batch dimension; -1 is a
	// dimension that the value decides.
	Shape []int
	// Value is evaluated against the record as the model is given it; nil means
	// the whole value.
	Value *Expr
}

// ErrorSets override which HTTP statuses are whose fault.
type ErrorSets struct{ Poison, Pause, Retry []int }

// Step is one step: it reads From, or joins, and writes To. The defaults of the
// pipeline are applied already.
type Step struct {
	Pos
	Name string
	From []string
	To   string
	// Model is the name of the model that is called; empty for a filter or a join.
	Model string
	// When decides which records are processed, Input makes what the model is
	// given, Output what is written. Each may be nil.
	When, Input, Output *Expr
	Batch               Batch
	Retry               Retry
	DLQ                 string
	Order               Order
	Start               Start
	Concurrency         int // 0: the model's
	Timeout             time.Duration
	Join                *Join

	places map[string]Pos // where each key's value is, for messages
}

// place is where the value of a key is, or the step when it has none.
func (s *Step) place(key string) Pos {
	if p, ok := s.places[key]; ok {
		return p
	}
	return s.Pos
}

// Batch bounds a model call: at most Max records, the first of which waits at
// most Wait for the others.
type Batch struct {
	Max  int
	Wait time.Duration
}

// Retry bounds how often and how fast one record is tried.
type Retry struct {
	Attempts int
	Min, Max time.Duration
}

// Order says which records of a step may overtake which.
type Order string

const (
	OrderKey    Order = "key"    // records of one key keep their order (the default)
	OrderNone   Order = "none"   // any record may overtake any other
	OrderStrict Order = "strict" // one record of a partition at a time; a failing one blocks it
)

// Start is where a new group begins: the zero value at the earliest record.
type Start struct {
	Latest bool
	At     time.Time
}

func (s Start) String() string {
	switch {
	case s.Latest:
		return "latest"
	case !s.At.IsZero():
		return s.At.Format(time.RFC3339Nano)
	}
	return "earliest"
}

// Join is a step that waits for the parts of a row.
type Join struct {
	Pos
	// Of are the row's branches in the order of the file.
	Of []Branch
	// By makes the key that a row's parts share; nil means by: event, the
	// correlation id.
	By *Expr
	// Within is how long a row waits, in event time; on idle input in wall
	// clock since its last part.
	Within time.Duration
	// Require names the branches without which no row comes out.
	Require []string
	// Late is what becomes of a part that comes after its row.
	Late Late
}

// Branch is one named input of a join.
type Branch struct {
	Pos
	Name, Topic string
}

// Late is what a join does with late parts: it amends their row (the zero
// value), drops them with a count, or sends them to Topic.
type Late struct {
	Drop  bool
	Topic string
}

func (l Late) String() string {
	switch {
	case l.Drop:
		return "drop"
	case l.Topic != "":
		return l.Topic
	}
	return "amend"
}

// Group is the consumer group of a step.
func (p *Pipeline) Group(s *Step) string { return p.Name + "." + s.Name }

// Redrive is the topic that only this step reads besides its own.
func (p *Pipeline) Redrive(s *Step) string { return p.Name + "." + s.Name + ".redrive" }

// Rows is the compacted topic in which a join keeps rows that may be amended.
func (p *Pipeline) Rows(s *Step) string { return p.Name + "." + s.Name + ".rows" }

// Outcomes is the topic on which steps announce that no result will come.
func (p *Pipeline) Outcomes() string { return p.Name + ".outcomes" }

// Inputs are the topics a step reads by its declaration: From, or the join's.
func (s *Step) Inputs() []string {
	if s.Join == nil {
		return s.From
	}
	topics := make([]string, len(s.Join.Of))
	for i, b := range s.Join.Of {
		topics[i] = b.Topic
	}
	return topics
}

// Step returns the step of that name, or nil.
func (p *Pipeline) Step(name string) *Step {
	for _, s := range p.Steps {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Model returns the model of that name, or nil.
func (p *Pipeline) Model(name string) *ModelSpec {
	for _, m := range p.Models {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// Topic returns what is declared of a topic; of an undeclared one its name and
// format (JSON).
func (p *Pipeline) Topic(name string) *Topic {
	for _, t := range p.Topics {
		if t.Name == name {
			return t
		}
	}
	return &Topic{Name: name, Format: JSON}
}
