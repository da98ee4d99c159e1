//go:build sim

package sim

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/leatdev/leat/internal/sched"
)

// history is what clients and the disk did, in order: as a hash always, as text
// when it is asked for.
type history struct {
	hash  uint64
	lines []string
	keep  bool
}

func (h *history) add(line string) {
	f := fnv.New64a()
	fmt.Fprintf(f, "%x ", h.hash)
	f.Write([]byte(line))
	h.hash = f.Sum64()
	if h.keep {
		h.lines = append(h.lines, line)
	}
}

// note adds what somebody did, with the moment at which it was done.
func (h *history) note(format string, args ...any) {
	h.add(fmt.Sprintf("%9.3fms #%-6d task %-3d ", float64(sched.Now().Sub(epoch))/float64(time.Millisecond), sched.Steps(), sched.Current()) + fmt.Sprintf(format, args...))
}

// text is all of it.
func (h *history) text() string { return strings.Join(h.lines, "\n") + "\n" }
