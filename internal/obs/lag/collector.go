package lag

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
)

// Collector is a prometheus.Collector of offsets and lag. Make one with New;
// register it in one registry.
type Collector struct {
	adm     *kadm.Client
	ttl     time.Duration
	address string

	mu    sync.Mutex // serialises looks: ten scrapers at once cost one
	taken time.Time
	snap  snapshot
	err   error
}

// New returns a collector that asks adm, at most once per ttl however often it
// is scraped. adm stays the caller's to close, after the registry is out of use.
// address, host:port, is where others reach the cluster's one broker when adm reaches
// it in its own way (within the process); empty: where adm does.
func New(adm *kadm.Client, ttl time.Duration, address string) *Collector {
	return &Collector{adm: adm, ttl: ttl, address: address}
}

// current returns a snapshot not older than the ttl.
func (c *Collector) current() (snapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.taken.IsZero() && time.Since(c.taken) < c.ttl {
		return c.snap, c.err
	}
	// Collect is given no context; the bound is ours.
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	c.snap, c.err = look(ctx, c.adm)
	c.taken = time.Now()
	return c.snap, c.err
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// The table of what is told. Names, labels and meaning are kafka_exporter's;
// only the first is ours.
var (
	success = desc("leat_offsets_scrape_success", "1 if the cluster answered everything the offsets and lag below are made of, else 0.")

	brokers    = desc("kafka_brokers", "Number of brokers in the cluster.")
	brokerInfo = desc("kafka_broker_info", "1; id and address of a broker are the labels.", "id", "address")

	partitions      = desc("kafka_topic_partitions", "Number of partitions of the topic.", "topic")
	partitionEnd    = desc("kafka_topic_partition_current_offset", "Offset after the last record that may be read (high watermark).", "topic", "partition")
	partitionStart  = desc("kafka_topic_partition_oldest_offset", "Offset of the oldest record still there (log start).", "topic", "partition")
	partitionLeader = desc("kafka_topic_partition_leader", "Id of the leader, -1 if there is none.", "topic", "partition")
	replicas        = desc("kafka_topic_partition_replicas", "Number of replicas.", "topic", "partition")
	inSync          = desc("kafka_topic_partition_in_sync_replica", "Number of replicas in sync.", "topic", "partition")
	preferred       = desc("kafka_topic_partition_leader_is_preferred", "1 if the leader is the first replica.", "topic", "partition")
	underReplicated = desc("kafka_topic_partition_under_replicated_partition", "1 if fewer replicas are in sync than there are.", "topic", "partition")

	groupOffset    = desc("kafka_consumergroup_current_offset", "Offset the group has committed.", "consumergroup", "topic", "partition")
	groupLag       = desc("kafka_consumergroup_lag", "Records between the committed offset and the partition's end.", "consumergroup", "topic", "partition")
	groupOffsetSum = desc("kafka_consumergroup_current_offset_sum", "Sum of the group's committed offsets over the topic's partitions.", "consumergroup", "topic")
	groupLagSum    = desc("kafka_consumergroup_lag_sum", "Sum of the group's lag over the topic's partitions.", "consumergroup", "topic")
	groupMembers   = desc("kafka_consumergroup_members", "Number of members of the group.", "consumergroup")
)

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{success, brokers, brokerInfo, partitions, partitionEnd, partitionStart,
		partitionLeader, replicas, inSync, preferred, underReplicated,
		groupOffset, groupLag, groupOffsetSum, groupLagSum, groupMembers} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. When the cluster does not answer it
// tells leat_offsets_scrape_success 0 and what it has, so that the rest of the
// page is still served.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	s, err := c.current()
	tell := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	tell(success, flag(err == nil))
	s.tellBrokers(tell, c.address)
	s.tellTopics(tell)
	s.tellGroups(tell)
	s.tellShares(tell)
}
