package disk

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/leatdev/leat/test/leatproc"
)

// inside marks the process that lives in namespaces of its own; its value says
// why they could not be made, if so.
const inside = "LEAT_TEST_DISK_NAMESPACE"

// whyNot is why no file system can be mounted here; empty if it can.
var whyNot string

func TestMain(m *testing.M) {
	reason, here := os.LookupEnv(inside)
	if !here {
		runtime.LockOSThread() // the child dies with the thread that has made it
		code, err := again(inside+"=", &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
		})
		if err != nil { // not root, or a container that may not: the tests say so
			code, err = again(inside+"=no namespace for mounts: "+err.Error(), nil)
		}
		if err != nil {
			panic(err)
		}
		os.Exit(code)
	}
	if whyNot = reason; whyNot == "" {
		// The process ids of this namespace, not of the one around it.
		if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
			whyNot = "no mount is allowed: " + err.Error()
		}
	}
	leatproc.Main(m)
}

// again runs this program once more and returns its exit code.
func again(env string, how *syscall.SysProcAttr) (int, error) {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), env)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = os.Stdout, os.Stderr, how
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() >= 0 {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// needMounts skips the test, by name, where mounts are not allowed.
func needMounts(t *testing.T) {
	t.Helper()
	if whyNot != "" {
		t.Skipf("not run: %s; run it as root", whyNot)
	}
}
