package server

// ReleaseIdle gives up memory that is only kept to be used again, when there is
// nothing to do. It may be called at any time until Close.
func (s *Server) ReleaseIdle() { s.broker.Store.ReleaseIdle() }
