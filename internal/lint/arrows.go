package lint

import (
	"fmt"
	"slices"
	"strings"
)

// Rooms by floor. A room stands for everything under it.
var (
	// words are what everybody speaks: protocol and event terms.
	words = []string{"internal/kafka", "event"}
	// ground is what everybody stands on.
	ground = []string{"internal/vfs", "internal/life", "internal/obs", "internal/trim", "internal/testcluster", "internal/sched", "internal/mutant", "internal/isolation", "internal/story"}
	// disk and coordinators, which broker alone brings together.
	disk         = []string{"internal/wal", "internal/plog", "internal/catalog"}
	coordinators = []string{"internal/coord"}
	broker       = []string{"internal/broker"}
	// features hold a *kgo.Client and nothing of the broker.
	features = []string{"internal/registry", "internal/flow", "internal/batches", "internal/conversation",
		"internal/dataset", "internal/replay", "internal/watch", "streams"}
	// tools are features that the other features may use: the worker they stand
	// on, the pipeline's words, model protocols and dead letters.
	tools = []string{"worker", "pipeline", "internal/models", "internal/deadletter"}
	// doors let the outside in.
	doors = []string{"internal/wire", "internal/gateway", "internal/console", "cmd"}
	// care is for data directories that no server runs on.
	care = []string{"internal/doctor"}
	// assembler knows everybody.
	assembler = []string{"internal/server"}
	// program is what runs or shows the whole: nothing of the house imports it.
	program = []string{".", "cmd", "examples", "internal/lint", "internal/sim"}
	// brokerSide is everything that may see the log from within.
	brokerSide = concat(disk, coordinators, broker, []string{"internal/wire"})
)

// arrow forbids imports from some rooms to others.
type arrow struct {
	why    string
	from   []string // nil: every room
	except []string // rooms of from, or all, that may
	to     []string // nil: every room of ours
	may    []string // rooms of to that are allowed
}

// arrows are the walls. Tests are held to them like everything else.
var arrows = []arrow{
	{why: "doors know the house; nobody knows the doors",
		to: doors, except: concat(doors, assembler, program)},
	{why: "doors do not know each other; the assembler opens them",
		from: []string{"internal/wire", "internal/gateway", "internal/console"}, to: []string{"internal/wire", "internal/gateway", "internal/console", "cmd"}},
	{why: "features hold a *kgo.Client: they never see the broker's side",
		from: concat(features, tools), to: brokerSide},
	{why: "features stand on worker, pipeline, models and deadletter, not on each other",
		from: concat(features, tools), to: features},
	{why: "only broker brings coordinators and disk together: coordinators know words alone",
		from: coordinators, to: nil, may: concat(words, []string{"internal/story"})}, // and its tests their player of stories
	{why: "only broker brings coordinators and disk together: disk does not know coordinators",
		from: disk, to: concat(coordinators, broker)},
	{why: "the log's side never looks up to the features",
		from: brokerSide, to: concat(features, tools)},
	{why: "words import nothing of ours",
		from: words, to: nil},
	{why: "the ground knows words alone",
		from: ground, to: nil, may: words},
	{why: "care looks at the disk through the broker and below: it serves nobody and asks no client",
		from: care, to: concat(coordinators, features, tools, doors, assembler)},
	{why: "care is for programs, and for the assembler that is held to what it tells",
		to: care, except: concat(program, assembler)},
	{why: "server is the only assembler; it is started by programs",
		to: assembler, except: program},
	{why: "nothing of the house imports a program or an example",
		to: []string{"cmd", "examples", "internal/lint"}, except: program},
}

func concat(sets ...[]string) []string { return slices.Concat(sets...) }

// in tells whether room lies in one of the rooms of set. The root folder is
// only itself, or everything would lie in it.
func in(room string, set []string) bool {
	return slices.ContainsFunc(set, func(dir string) bool { return within(room, dir) })
}

// walls finds imports that an arrow forbids. A room may always import what
// lies under itself.
func walls(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		if f.nested {
			continue // test/ and bench/ are modules of their own, outside the house
		}
		for _, to := range f.rooms() {
			for _, a := range arrows {
				if a.forbids(f.room(), to) {
					found = append(found, finding{f.path, 0, fmt.Sprintf("imports %s: %s", to, a.why)})
				}
			}
		}
	}
	return found
}

func (a arrow) forbids(from, to string) bool {
	if sameRoom(from, to) || (a.from != nil && !in(from, a.from)) || in(from, a.except) {
		return false
	}
	return (a.to == nil || in(to, a.to)) && !in(to, a.may)
}

// sameRoom tells whether both lie in one room of the house: the folder under
// internal/ or the root.
func sameRoom(a, b string) bool { return roomOf(a) == roomOf(b) }

func roomOf(dir string) string {
	parts := strings.Split(dir, "/")
	if parts[0] == "internal" && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}
