package trim

import (
	"bufio"
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// dropProgramPages gives up the mapped pages of the program's own code and constants:
// a start touches half of a large binary and needs little of it afterwards. They are
// the system's, stay in its page cache, and come back one by one when they are used.
func dropProgramPages() {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer f.Close()
	for _, r := range untouched(bufio.NewScanner(f), []byte(exe)) {
		// Advice: when it is not taken, nothing is lost.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, r.start, r.end-r.start, unix.MADV_DONTNEED)
	}
}

// region is a range of addresses.
type region struct{ start, end uintptr }

// untouched finds in smaps the read-only mappings of the file in which no page is the
// process's own: giving up one of those would lose what was written to it (by the
// loader, by a debugger).
func untouched(smaps *bufio.Scanner, file []byte) []region {
	var out []region
	var at region
	candidate := false
	for smaps.Scan() {
		line := smaps.Bytes()
		if start, end, ok := addresses(line); ok {
			f := bytes.Fields(line)
			candidate = len(f) == 6 && len(f[1]) == 4 && f[1][1] == '-' && bytes.Equal(f[5], file)
			at = region{start, end}
			continue
		}
		if own, ok := bytes.CutPrefix(line, []byte("Anonymous:")); ok && candidate && string(bytes.TrimSpace(own)) == "0 kB" {
			out = append(out, at)
		}
	}
	return out
}

// addresses reads the range that a line of smaps begins with.
func addresses(line []byte) (start, end uintptr, ok bool) {
	rng, _, _ := bytes.Cut(line, []byte(" "))
	from, to, found := bytes.Cut(rng, []byte("-"))
	if !found {
		return 0, 0, false
	}
	start, ok1 := parseHex(from)
	end, ok2 := parseHex(to)
	return start, end, ok1 && ok2
}

func parseHex(b []byte) (uintptr, bool) {
	v, err := strconv.ParseUint(string(b), 16, 64)
	return uintptr(v), err == nil
}
