//go:build unix && !linux

package vfs

import (
	"errors"
	"fmt"
)

// OpenVolume answers that there is no such sync here: sync(2) need not wait for
// the disk and tells of no failure.
func (OS) OpenVolume(name string) (Volume, error) {
	return nil, fmt.Errorf("sync of all of %s at once: %w", name, errors.ErrUnsupported)
}
