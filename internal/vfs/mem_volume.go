package vfs

// OpenVolume opens the whole Mem, whatever name is.
func (m *Mem) OpenVolume(string) (Volume, error) { return memVolume{m}, nil }

type memVolume struct{ m *Mem }

// Sync makes all files and all names durable. Nobody else writes to a Mem: it is
// never busy.
func (v memVolume) Sync(int64) error {
	defer v.m.enter()()
	for _, f := range v.m.inodes() {
		f.sync()
	}
	for _, op := range v.m.pending {
		for _, c := range op.changes {
			setEntry(c.dir.durable, c.name, c.node)
		}
	}
	v.m.pending = nil
	return nil
}

// FailSync is called by Faulty in place of Sync: what was not synced is lost, as
// when Linux cannot write it back. Each file of which something is lost tells its
// next Sync, once (errseq_t); the names stay as unsure as they were.
func (v memVolume) FailSync() {
	defer v.m.enter()()
	for _, f := range v.m.inodes() {
		f.loseUnsynced()
	}
}

func (memVolume) Close() error { return nil }

// inodes are all files that have a name, in the order of their names; m.mu is
// held. A file with several names comes once for each.
func (m *Mem) inodes() []*inode {
	var out []*inode
	var visit func(n *node)
	visit = func(n *node) {
		if !n.isDir() {
			out = append(out, n.file)
			return
		}
		for _, name := range sortedNames(n.entries) {
			visit(n.entries[name])
		}
	}
	visit(m.root)
	return out
}
