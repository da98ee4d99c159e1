package server

import "github.com/leatdev/leat/internal/broker"

// EachShare calls fn for each share-partition of each share group, with where it
// stands. It is for metrics; it may wait for the disk.
func (s *Server) EachShare(fn func(group string, p broker.SharePlace)) {
	for _, group := range s.broker.Shares.Groups() {
		places, err := s.broker.Shares.Places(group)
		if err != nil {
			continue // its state cannot be read, which the log has said
		}
		for i := range places {
			fn(group, places[i])
		}
	}
}
