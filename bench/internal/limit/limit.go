// Package limit measures what the machine itself can do: the bare loops that no
// broker can beat. Each runs in a process of its own, so that its CPU time is told
// apart from that of the other side.
package limit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/leatdev/leat/bench/internal/proc"
)

// Command is the first argument with which a process is to call Child.
const Command = "limit"

// Loop is a bare loop.
type Loop string

// The loops. Those that move bytes do it over loopback.
const (
	// Fdatasync writes 1 KiB and syncs, again and again, into a file that was filled before.
	Fdatasync Loop = "fdatasync"
	// GroupCommit is 64 writers of 1 KiB that share each write and sync.
	GroupCommit Loop = "group"
	// Write appends 1 MiB at a time, with an fdatasync each 64 MiB.
	Write Loop = "write"
	// Echo answers 1 KiB with 64 bytes.
	Echo Loop = "echo"
	// EchoSync is Echo that writes and syncs, as Fdatasync does, before it answers: a
	// broker of one loop for one client.
	EchoSync Loop = "echosync"
	// Receive reads from a connection and throws away.
	Receive Loop = "receive"
	// ReceiveLog reads from a connection, takes a CRC-32C, writes to a file, and syncs it each 64 MiB.
	ReceiveLog Loop = "receivelog"
	// ReceiveAcked is ReceiveLog with four files, a quarter of what is received for each,
	// and a log: all of them are synced each 1.25 MiB, as often as a broker must that acks
	// what is durable to clients with 10 requests under way, half of them in a sync.
	ReceiveAcked Loop = "receiveacked"
	// Sendfile sends a file with sendfile(2), 1 MiB at a time.
	Sendfile Loop = "sendfile"
	// Pread sends a file with pread(2) and write(2), 1 MiB at a time.
	Pread Loop = "pread"
)

// Job is what a loop is to do.
type Job struct {
	Loop Loop          `json:"loop"`
	Dir  string        `json:"dir"`  // for its files
	For  time.Duration `json:"for"`  // at least
	Size int64         `json:"size"` // of the file that is sent, in bytes
	Cold bool          `json:"cold"` // the file's pages are dropped before; it is sent once
}

// Outcome is what it did.
type Outcome struct {
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu"` // of the loop's process, in seconds
	Bytes   int64   `json:"bytes"`
	Ops     int64   `json:"ops"`
	// Latencies of each operation, where the loop has them, sorted.
	Latencies []time.Duration `json:"latencies,omitempty"`
}

// Run runs a loop in a process of its own, which is the program exe called with
// Command, and plays its other side.
func Run(ctx context.Context, exe string, j Job) (Outcome, error) {
	arg, err := json.Marshal(j)
	if err != nil {
		return Outcome{}, err
	}
	cmd := exec.CommandContext(ctx, exe, Command, string(arg))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return Outcome{}, err
	}
	if err := cmd.Start(); err != nil {
		return Outcome{}, err
	}
	lines := bufio.NewReaderSize(out, 1<<20)
	outcome, err := converse(ctx, j, lines)
	if err != nil {
		_ = cmd.Process.Kill()
	}
	return outcome, errors.Join(err, cmd.Wait())
}

// converse reads the child's address, if it has one, plays the other side, and
// reads the outcome.
func converse(ctx context.Context, j Job, lines *bufio.Reader) (Outcome, error) {
	var o Outcome
	var latencies []time.Duration
	line, err := lines.ReadString('\n')
	if err != nil {
		return o, fmt.Errorf("limit %s: %w", j.Loop, err)
	}
	if addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listen "); ok {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return o, err
		}
		latencies, err = opposite(conn, j)
		if err := errors.Join(err, conn.Close()); err != nil {
			return o, fmt.Errorf("limit %s: %w", j.Loop, err)
		}
		if line, err = lines.ReadString('\n'); err != nil {
			return o, fmt.Errorf("limit %s: %w", j.Loop, err)
		}
	}
	if err := json.Unmarshal([]byte(line), &o); err != nil {
		return o, fmt.Errorf("limit %s: %w in %q", j.Loop, err, line)
	}
	if latencies != nil {
		o.Latencies = latencies
	}
	slices.Sort(o.Latencies)
	return o, nil
}

// Child is the loop's side: arg is the job. It prints its address, if it has one,
// and the outcome.
func Child(arg string) error {
	var j Job
	if err := json.Unmarshal([]byte(arg), &j); err != nil {
		return err
	}
	loops := map[Loop]func(Job) (Outcome, error){
		Fdatasync: fdatasync, GroupCommit: groupCommit, Write: write,
		Echo: serve(echo), EchoSync: serve(echoSync), Receive: serve(receive), ReceiveLog: serve(receiveLog), ReceiveAcked: serve(receiveAcked), Sendfile: serve(sendfile), Pread: serve(pread),
	}
	loop := loops[j.Loop]
	if loop == nil {
		return fmt.Errorf("there is no loop %q", j.Loop)
	}
	o, err := loop(j)
	if err != nil {
		return err
	}
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = fmt.Printf("%s\n", b)
	return err
}

// stopwatch measures this process from its start to its end.
type stopwatch struct {
	began time.Time
	cpu   time.Duration
}

func start() stopwatch { return stopwatch{time.Now(), proc.Self()} }

func (s stopwatch) stop(o *Outcome) {
	o.Seconds, o.CPU = time.Since(s.began).Seconds(), (proc.Self() - s.cpu).Seconds()
}
