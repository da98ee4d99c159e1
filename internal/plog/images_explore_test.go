package plog

import (
	"fmt"
	"iter"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/leatdev/leat/internal/vfs"
)

// disks yields what a loss of power at this moment may leave, each once or more.
//
// What was not synced is told apart as: changes of names, new sizes, and pages
// of single writes. Up to full of these, every subset of them; beyond that all
// prefixes in the order of the calls, each alone, and all but one or two. And
// each page torn after its first sector, in the middle, and before its last,
// with everything else there or nothing that came later.
//
// It is enough to look right before syncs, and when something was answered: what
// a crash before another change may leave, one after it may leave, too.
func disks(m *vfs.Mem, full int, torn bool) iter.Seq[*vfs.Mem] {
	return func(yield func(*vfs.Mem) bool) {
		type unit struct {
			seq  uint64
			kind vfs.ChangeKind
			page int64
		}
		var order []unit
		at := map[unit]int{}
		sectors := map[unit][]int{}
		for _, ch := range m.Changes() {
			u := unit{ch.Seq, ch.Kind, ch.Page}
			if _, ok := at[u]; !ok {
				at[u] = len(order)
				order = append(order, u)
			}
			sectors[u] = append(sectors[u], ch.Sector)
		}
		take := func(kept []bool) bool {
			return yield(m.CrashKeeping(func(ch vfs.Change) bool {
				i, ok := at[unit{ch.Seq, ch.Kind, ch.Page}]
				return ok && kept[i]
			}))
		}
		for kept := range subsets(len(order), full) {
			if !take(kept) {
				return
			}
		}
		for i, page := range order {
			n := len(sectors[page])
			if !torn || page.kind != vfs.ChangeSector || n < 2 {
				continue
			}
			for _, cut := range slices.Compact([]int{1, n / 2, n - 1}) {
				for _, front := range []bool{true, false} { // which part of the page came
					for _, later := range []bool{true, false} {
						disk := m.CrashKeeping(func(ch vfs.Change) bool {
							j, ok := at[unit{ch.Seq, ch.Kind, ch.Page}]
							if !ok {
								return false
							}
							if j == i {
								return slices.Index(sectors[page], ch.Sector) < cut == front
							}
							return j < i || later || order[j].kind == vfs.ChangeSize && order[j].seq == page.seq
						})
						if !yield(disk) {
							return
						}
					}
				}
			}
		}
	}
}

// subsets yields the subsets of n things: all of them when there are at most
// full, else those that lack or have few.
func subsets(n, full int) iter.Seq[[]bool] {
	return func(yield func([]bool) bool) {
		kept := make([]bool, n)
		if n <= full {
			for set := range 1 << n {
				for i := range kept {
					kept[i] = set>>i&1 == 1
				}
				if !yield(kept) {
					return
				}
			}
			return
		}
		fill := func(v bool) {
			for i := range kept {
				kept[i] = v
			}
		}
		for prefix := range n + 1 {
			for i := range kept {
				kept[i] = i < prefix
			}
			if !yield(kept) {
				return
			}
		}
		for i := range n {
			fill(false)
			kept[i] = true
			if !yield(kept) {
				return
			}
			for j := i; j < n; j++ {
				if j > i && n > 2*full {
					break
				}
				fill(true)
				kept[i], kept[j] = false, false
				if !yield(kept) {
					return
				}
			}
		}
	}
}

var (
	segmentName = regexp.MustCompile(`^\d{20}\.log$`)
	copyName    = regexp.MustCompile(`^\d{20}\.\d+\.(log|index|timeindex)$`)
)

// kindOf names what a file or directory of the data directory is.
func kindOf(name string) string {
	base := path.Base(name)
	depth := strings.Count(name, "/")
	switch {
	case strings.HasSuffix(base, ".wal"):
		return "wal file"
	case strings.HasPrefix(base, "checkpoint"):
		return "checkpoint"
	case segmentName.MatchString(base):
		return "segment"
	case copyName.MatchString(base):
		return "compacted segment"
	case strings.HasSuffix(base, "index"):
		return "index"
	case name == "/data/wal":
		return "wal directory"
	case name == "/data/logs":
		return "logs directory"
	case strings.HasPrefix(name, "/data/logs/") && depth == 3:
		return "topic directory"
	case strings.HasPrefix(name, "/data/logs/") && depth == 4:
		return "log directory"
	case name == "/data":
		return "data directory"
	case name == "/":
		return "root"
	}
	return name
}

// shrinks are the operations after which less may be lost.
const shrinks = vfs.OpSync | vfs.OpSyncDir

// doing names the operation that comes next.
func doing(op vfs.Op, name string) string {
	verb := map[vfs.Op]string{
		vfs.OpCreate: "create", vfs.OpMkdir: "make", vfs.OpRemove: "remove", vfs.OpRename: "rename", vfs.OpLink: "link",
		vfs.OpSyncDir: "sync", vfs.OpWrite: "write", vfs.OpSync: "sync", vfs.OpTruncate: "cut", vfs.OpAllocate: "allocate",
	}[op]
	if verb == "" {
		verb = fmt.Sprintf("operation %x on", op)
	}
	return verb + " " + kindOf(name)
}
