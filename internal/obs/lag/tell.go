package lag

import (
	"net"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
)

type tellFunc func(d *prometheus.Desc, v float64, labels ...string)

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (s snapshot) tellBrokers(tell tellFunc, address string) {
	if len(s.meta.Brokers) == 0 {
		return // nothing answered: no number is better than a wrong 0
	}
	tell(brokers, float64(len(s.meta.Brokers)))
	for _, b := range s.meta.Brokers {
		at := address
		if at == "" {
			at = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
		}
		tell(brokerInfo, 1, strconv.Itoa(int(b.NodeID)), at)
	}
}

func (s snapshot) tellTopics(tell tellFunc) {
	for _, t := range s.meta.Topics {
		if t.Err != nil {
			continue
		}
		tell(partitions, float64(len(t.Partitions)), t.Topic)
		for _, p := range t.Partitions {
			n := strconv.Itoa(int(p.Partition))
			tell(partitionLeader, float64(p.Leader), t.Topic, n)
			tell(replicas, float64(len(p.Replicas)), t.Topic, n)
			tell(inSync, float64(len(p.ISR)), t.Topic, n)
			tell(preferred, flag(len(p.Replicas) > 0 && p.Replicas[0] == p.Leader), t.Topic, n)
			tell(underReplicated, flag(len(p.ISR) < len(p.Replicas)), t.Topic, n)
			if o, ok := known(s.end, t.Topic, p.Partition); ok {
				tell(partitionEnd, float64(o), t.Topic, n)
			}
			if o, ok := known(s.start, t.Topic, p.Partition); ok {
				tell(partitionStart, float64(o), t.Topic, n)
			}
		}
	}
}

// tellGroups tells of partitions for which the group has committed. The lag of
// a partition whose end is not known, or whose topic is gone, is not told. A
// group that committed beyond the end (the topic was made anew) has lag 0.
func (s snapshot) tellGroups(tell tellFunc) {
	for group, n := range s.members {
		tell(groupMembers, float64(n), group)
	}
	for _, g := range s.committed {
		if g.Err != nil {
			continue
		}
		for topic, parts := range g.Fetched {
			var offsetSum, lagSum float64
			var told bool
			for p, o := range parts {
				end, ok := known(s.end, topic, p)
				if o.Err != nil || o.At < 0 || !ok {
					continue
				}
				part, behind := strconv.Itoa(int(p)), float64(max(0, end-o.At))
				tell(groupOffset, float64(o.At), g.Group, topic, part)
				tell(groupLag, behind, g.Group, topic, part)
				offsetSum, lagSum, told = offsetSum+float64(o.At), lagSum+behind, true
			}
			if told {
				tell(groupOffsetSum, offsetSum, g.Group, topic)
				tell(groupLagSum, lagSum, g.Group, topic)
			}
		}
	}
}

// tellShares tells of partitions that a share group has begun to read: the offset is
// where unfinished records begin, and the lag counts these, as the broker does
// (KIP-1226). A broker that does not know the lag tells -1, which is not told.
func (s snapshot) tellShares(tell tellFunc) {
	for _, g := range s.shared {
		if g.Err != nil {
			continue
		}
		for topic, parts := range g.Offsets {
			var offsetSum, lagSum float64
			var told bool
			for p, o := range parts {
				if o.Err != nil || o.StartOffset < 0 || o.Lag < 0 {
					continue
				}
				part := strconv.Itoa(int(p))
				tell(groupOffset, float64(o.StartOffset), g.Group, topic, part)
				tell(groupLag, float64(o.Lag), g.Group, topic, part)
				offsetSum, lagSum, told = offsetSum+float64(o.StartOffset), lagSum+float64(o.Lag), true
			}
			if told {
				tell(groupOffsetSum, offsetSum, g.Group, topic)
				tell(groupLagSum, lagSum, g.Group, topic)
			}
		}
	}
}

func known(l kadm.ListedOffsets, topic string, partition int32) (int64, bool) {
	o, ok := l.Lookup(topic, partition)
	return o.Offset, ok && o.Err == nil
}
