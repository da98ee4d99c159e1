package exec

import (
	"os"
	osexec "os/exec"
)

// ownGroup does nothing: Windows has no process groups of this kind. Should
// this process die without a word, the child sees its input end.
func ownGroup(*osexec.Cmd) {}

// waitUnreaped returns false at once: the wait here is to be one that reaps.
func waitUnreaped(*os.Process) bool { return false }

func terminateGroup(p *os.Process) { _ = p.Kill() } // there is no SIGTERM

func killGroup(p *os.Process) { _ = p.Kill() }
