//go:build unix && !linux

package vfs

func (o *osFile) WritevAt(bufs [][]byte, off int64) (int64, error) {
	var total int64
	for _, b := range bufs {
		n, err := o.WriteAt(b, off+total)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// Sync uses the strongest sync the system has: os.File.Sync is F_FULLFSYNC on macOS.
func (o *osFile) Sync() error { return spaceError(o.f.Sync()) }

// Allocate fills the file with zeros, which takes the blocks on every system.
func (o *osFile) Allocate(size int64) error {
	have, err := o.Size()
	if err != nil {
		return err
	}
	zeros := make([]byte, 1<<20)
	for have < size {
		n, err := o.WriteAt(zeros[:min(int64(len(zeros)), size-have)], have)
		if err != nil {
			return err
		}
		have += int64(n)
	}
	return nil
}
