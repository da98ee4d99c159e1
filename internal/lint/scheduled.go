package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
)

// simulated are the rooms that the simulation runs: one goroutine at a time, in
// an order and at times that a seed gives. They wait, start goroutines, tell the
// time and draw lots through internal/sched alone.
var simulated = []string{"internal/wal", "internal/plog", "internal/broker"}

// scheduled finds what the simulation's scheduler would not see.
func scheduled(t *tree) []finding {
	const why = "use internal/sched: what goes around it cannot be replayed from a seed"
	engine := func(f *file) bool { return in(f.room(), simulated) && !f.test() }
	found := slices.Concat(
		calls(t, engine, "sync", []string{"Mutex", "RWMutex", "Cond", "NewCond", "WaitGroup", "Once", "OnceFunc", "OnceValue", "OnceValues", "Locker", "Map"}, why),
		calls(t, engine, "time", []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"}, why),
		calls(t, engine, "context", []string{"WithCancel", "WithCancelCause", "WithDeadline", "WithDeadlineCause", "WithTimeout", "WithTimeoutCause", "AfterFunc"}, why))
	for _, f := range t.files {
		if !engine(f) {
			continue
		}
		for _, p := range f.imports() {
			if slices.Contains([]string{"math/rand", "math/rand/v2", "crypto/rand", "golang.org/x/sync/errgroup", "golang.org/x/sync/semaphore", "golang.org/x/sync/singleflight"}, p) {
				found = append(found, finding{f.path, 0, fmt.Sprintf("imports %s: %s", p, why)})
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			what := ""
			switch n := n.(type) {
			case *ast.GoStmt:
				what = "go statement"
			case *ast.ChanType:
				what = "channel"
			case *ast.SelectStmt:
				what = "select"
			case *ast.UnaryExpr:
				if n.Op == token.ARROW {
					what = "receive"
				}
			}
			if what != "" {
				found = append(found, finding{f.path, t.line(n), what + ": " + why})
			}
			return true
		})
	}
	return found
}
