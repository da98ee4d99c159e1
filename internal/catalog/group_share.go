package catalog

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ShareView is a share group's configs as the broker uses them.
type ShareView struct {
	// LockDuration is how long a record stays acquired, DeliveryLimit how many failed
	// deliveries it may have, MaxLocks how many records may be out or waiting.
	LockDuration            time.Duration
	DeliveryLimit, MaxLocks int
	// Renew says that locks may be renewed.
	Renew bool
	// The wait before a record that failed is delivered again.
	BackoffMin, BackoffMax time.Duration
	BackoffMultiplier      float64
	// BreakerDead dead letters within a minute pause the delivery for BreakerPause.
	BreakerDead  int
	BreakerPause time.Duration
	// Reset is where the group begins; ResetAge how far back, for ResetByAge.
	Reset    Reset
	ResetAge time.Duration
	// Committed hides what transactions have not committed (read_committed).
	Committed bool
	// DeadLetterTopic is "" for none; CopyRecord says that dead letters have the
	// record itself.
	DeadLetterTopic string
	CopyRecord      bool
}

// Reset is where a share group begins to read.
type Reset int

// The places.
const (
	ResetLatest Reset = iota
	ResetEarliest
	ResetByAge
)

// ShareGroup is the view of a share group, which need not exist.
func (s *Snapshot) ShareGroup(group string) *ShareView {
	configs := s.groups[group]
	get := func(name string) value { return s.groupValue(configs, name) }
	own := func(name string) time.Duration { return millis(get(name).number) }
	v := &ShareView{
		LockDuration:      s.GroupMillis(group, "share.record.lock.duration.ms"),
		DeliveryLimit:     int(s.GroupInt(group, "share.delivery.count.limit")),
		MaxLocks:          int(s.GroupInt(group, "share.partition.max.record.locks")),
		Renew:             get("share.renew.acknowledge.enable").flag,
		BackoffMin:        own("share.release.backoff.min.ms"),
		BackoffMax:        own("share.release.backoff.max.ms"),
		BackoffMultiplier: get("share.release.backoff.multiplier").float,
		BreakerDead:       int(get("share.dlq.breaker.records").number),
		BreakerPause:      own("share.dlq.breaker.pause.ms"),
		DeadLetterTopic:   get("errors.deadletterqueue.topic.name").text,
		CopyRecord:        get("errors.deadletterqueue.copy.record.enable").flag,
		Committed:         get("share.isolation.level").text == "read_committed",
	}
	switch reset := get("share.auto.offset.reset").text; {
	case reset == "earliest":
		v.Reset = ResetEarliest
	case reset != "latest":
		v.Reset = ResetByAge
		v.ResetAge, _ = isoDuration(strings.TrimPrefix(reset, byDuration))
	}
	return v
}

const byDuration = "by_duration:"

func offsetReset(v value) string {
	if v.text == "earliest" || v.text == "latest" {
		return ""
	}
	if text, ok := strings.CutPrefix(v.text, byDuration); ok {
		if _, ok := isoDuration(text); ok {
			return ""
		}
	}
	return "Must be earliest, latest or by_duration:<duration>, an ISO 8601 duration that is not negative, as PT1H or P7D"
}

func deadLetterName(v value) string {
	if v.text == "" {
		return ""
	}
	if strings.HasPrefix(v.text, "__") {
		return "The name of a dead-letter topic must not begin with __"
	}
	if err := CheckTopicName(v.text); err != nil {
		return err.Error()
	}
	return ""
}

var isoParts = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,9})?)S)?)?$`)

// isoDuration reads a duration as Java's Duration.parse does, without signs.
func isoDuration(text string) (time.Duration, bool) {
	text = strings.ToUpper(text)
	m := isoParts.FindStringSubmatch(text)
	if m == nil || text == "P" || strings.HasSuffix(text, "T") {
		return 0, false
	}
	sum := 0.0
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if m[i+1] == "" {
			continue
		}
		n, err := strconv.ParseFloat(m[i+1], 64)
		if err != nil {
			return 0, false
		}
		sum += n * float64(unit)
	}
	if sum >= math.MaxInt64 {
		return math.MaxInt64, true
	}
	return time.Duration(sum), true
}
