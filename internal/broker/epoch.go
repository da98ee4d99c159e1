package broker

// EpochEnd answers OffsetForLeaderEpoch: the largest epoch at or below the one
// asked for that wrote here, and where it ends. The current epoch ends at the high
// watermark also while it has written nothing. -1, -1 for an epoch that has not
// been yet.
//
// An epoch that wrote nothing before all others ends where they begin: a consumer
// whose position is from then, at the start of what was an empty log, must not be
// told that it lost records (KIP-320).
func (p *Partition) EpochEnd(epoch, current int32) (int32, int64) {
	switch {
	case epoch < 0 || epoch > current:
		return -1, -1
	case epoch == current:
		return epoch, p.Log.HighWatermark()
	}
	return p.Log.EpochEnd(epoch)
}
