//go:build unix && !linux

package exec

import (
	"os"
	osexec "os/exec"
	"syscall"
)

// ownGroup puts the child at the head of a process group, so that what it
// starts can be ended with it and a terminal's Ctrl-C does not reach it. Should
// this process die without a word, the child sees its input end.
func ownGroup(cmd *osexec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// waitUnreaped returns false at once: the wait here is to be one that reaps.
// A group keeps its id as long as something is left in it.
func waitUnreaped(*os.Process) bool { return false }

func terminateGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGTERM) } // gone is fine

func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }
