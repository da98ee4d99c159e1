package wal

// Hold keeps the memory that a frame's Data lies in from being used again, for a
// reader who is still busy with it when the frame is released. Its zero value holds
// nothing.
type Hold struct{ c *chunk }

// Hold returns a hold on the frame's Data, to be released once. The caller sees to
// it that the frame itself is not released meanwhile.
func (f *Frame) Hold() Hold {
	if f.chunk != nil {
		f.chunk.retain()
	}
	return Hold{f.chunk}
}

// Release lets go of the memory.
func (h Hold) Release() {
	if h.c != nil {
		h.c.release()
	}
}
