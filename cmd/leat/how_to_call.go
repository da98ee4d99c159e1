package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// howToCall is what a user types for this program: `go run` leaves its binary
// in a directory that nobody wants to type.
func howToCall() string {
	exe, err := os.Executable()
	if err != nil || strings.Contains(exe, "go-build") {
		return "go run ./cmd/leat"
	}
	if found, err := exec.LookPath(filepath.Base(exe)); err == nil && found == exe {
		return filepath.Base(exe)
	}
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, exe); err == nil && !strings.HasPrefix(rel, "..") {
			return "." + string(filepath.Separator) + rel
		}
	}
	return exe
}
