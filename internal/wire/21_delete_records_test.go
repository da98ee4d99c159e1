package wire

import (
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/vfs"
)

func deleted(c *client, topic string, offset int64, version int16) kmsg.DeleteRecordsResponseTopicPartition {
	c.t.Helper()
	resp := ask[*kmsg.DeleteRecordsResponse](c, deleteTo(topic, offset), version)
	if len(resp.Topics) != 1 || resp.Topics[0].Topic != topic || len(resp.Topics[0].Partitions) != 1 {
		c.t.Fatalf("%+v", resp)
	}
	return resp.Topics[0].Partitions[0]
}

func TestDeleteRecords(t *testing.T) {
	t.Parallel()
	versions(t, 21, func(t *testing.T, version int16) {
		b := newDataBench(t, nil)
		id := b.topic("t", 1)
		b.topic("compact", 1, "cleanup.policy", "compact")
		b.topic("both", 1, "cleanup.policy", "compact,delete")
		b.topic("neither", 1, "cleanup.policy", "")
		b.topic("__consumer_offsets", 1)
		c := b.dial()
		b.put(c, "t", "a", "b", "c")
		b.put(c, "t", "d")
		for _, tc := range []struct {
			to, low int64
			want    *kerr.Error
		}{
			{0, 0, nil}, {2, 2, nil}, {1, 2, nil}, {5, -1, kerr.OffsetOutOfRange}, {-2, -1, kerr.OffsetOutOfRange}, {3, 3, nil}, {-1, 4, nil}, {4, 4, nil},
		} {
			p := deleted(c, "t", tc.to, version)
			if name(p.ErrorCode) != name(codeOf(tc.want)) || p.LowWatermark != tc.low {
				t.Errorf("to %d: %s, low watermark %d, want %d", tc.to, name(p.ErrorCode), p.LowWatermark, tc.low)
			}
			if tc.want != nil {
				continue
			}
			if got := listed(c, "t", -2, 7); got.Offset != tc.low {
				t.Errorf("earliest %d, want %d", got.Offset, tc.low)
			}
			mustCode(t, "below", oneFetched(t, ask[*kmsg.FetchResponse](c, fetchFrom("t", id, tc.low-1), 13)).ErrorCode, kerr.OffsetOutOfRange)
		}
		b.kill() // what was answered stays
		c = b.dial()
		if got := listed(c, "t", -2, 7); got.Offset != 4 {
			t.Errorf("earliest after a restart: %d", got.Offset)
		}
		if at := b.put(c, "t", "e"); at != 4 {
			t.Errorf("the next offset is %d", at)
		}
		mustCode(t, "compact", deleted(c, "compact", 0, version).ErrorCode, kerr.PolicyViolation)
		mustCode(t, "both", deleted(c, "both", 0, version).ErrorCode, nil)
		mustCode(t, "neither", deleted(c, "neither", 0, version).ErrorCode, nil)
		mustCode(t, "unknown", deleted(c, "none", 0, version).ErrorCode, kerr.UnknownTopicOrPartition)
		mustCode(t, "internal", deleted(c, "__consumer_offsets", 0, version).ErrorCode, kerr.InvalidTopicException)
	})
}

// The new log start is on disk before the answer, and before anybody sees it; the
// repeat of a request is not answered sooner.
func TestDeleteRecordsWaitsForTheDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newDataBench(t, nil)
		b.topic("t", 1)
		c, again, reader := b.dial(), b.dial(), b.dial()
		b.put(c, "t", "a", "b", "c")
		held := b.disk.Gate(vfs.OpSync, walFiles)
		req := deleteTo("t", 2)
		req.Version = 2
		c.send(7, req)
		<-held.Arrived()
		again.send(7, req)
		answers := make(chan struct{}, 2)
		for _, c := range []*client{c, again} {
			go func() {
				if p := receive[*kmsg.DeleteRecordsResponse](c, req).Topics[0].Partitions[0]; p.ErrorCode != 0 || p.LowWatermark != 2 {
					t.Errorf("%+v", p)
				}
				answers <- struct{}{}
			}()
		}
		synctest.Wait()
		if len(answers) != 0 || listed(reader, "t", -2, 7).Offset != 0 {
			t.Errorf("%d answers before the flush, earliest %d", len(answers), listed(reader, "t", -2, 7).Offset)
		}
		held.Open()
		<-answers
		<-answers
		if got := listed(reader, "t", -2, 7).Offset; got != 2 {
			t.Errorf("earliest %d", got)
		}
	})
}

// What cannot get to disk is not said to be deleted.
func TestDeleteRecordsOnAFailedDisk(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	b.topic("t", 1)
	c := b.dial()
	b.put(c, "t", "a", "b")
	b.disk.Add(vfs.Rule{Op: vfs.OpSync, Name: walFiles, Err: syscall.EIO})
	for range 2 {
		if p := deleted(c, "t", 1, 2); p.ErrorCode != kerr.KafkaStorageError.Code || p.LowWatermark != -1 {
			t.Errorf("%+v", p)
		}
	}
	if got := listed(c, "t", -2, 7).Offset; got != 0 {
		t.Errorf("earliest %d", got)
	}
}
