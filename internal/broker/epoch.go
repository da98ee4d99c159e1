package broker

// EpochEnd answers OffsetForLeaderEpoch: the largest epoch at or below the one
// asked for, and where it ends. The current epoch ends at the high watermark
// also while it has written nothing.
func (p *Partition) EpochEnd(epoch, current int32) (int32, int64) {
	if epoch == current {
		return epoch, p.Log.HighWatermark()
	}
	return p.Log.EpochEnd(epoch)
}
