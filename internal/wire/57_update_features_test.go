package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// The level that is in force may be asked for, by any way there is; no other.
func TestUpdateFeatures(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	c := b.dial()
	type update = kmsg.UpdateFeaturesRequestFeatureUpdate
	versions(t, 57, func(t *testing.T, version int16) {
		try := func(what, want string, results int, updates ...update) {
			t.Helper()
			req := kmsg.NewPtrUpdateFeaturesRequest()
			req.FeatureUpdates = updates
			resp := ask[*kmsg.UpdateFeaturesResponse](c, req, version)
			if version > 1 {
				results = 0
			}
			if got := says(resp.ErrorCode, nil); got != want || len(resp.Results) != results {
				t.Errorf("%s: %s with %d results, want %s with %d", what, got, len(resp.Results), want, results)
			}
		}
		try("nothing", "ok", 0)
		try("an unknown one", "INVALID_UPDATE_VERSION", 0, update{Feature: "nosuch.version", MaxVersionLevel: 1, UpgradeType: 1})
		for _, f := range kafka.Features {
			as := func(level int16, way int8) update {
				return update{Feature: f.Name, MaxVersionLevel: level, UpgradeType: way, AllowDowngrade: true}
			}
			for way := int8(1); way <= 3; way++ {
				try(f.Name+" as it is", "ok", 1, as(f.Level, way))
				try(f.Name+" lower", "INVALID_UPDATE_VERSION", 0, as(f.Level-1, way))
				try(f.Name+" higher", "INVALID_UPDATE_VERSION", 0, as(f.Level+1, way))
			}
			if version >= 1 {
				try(f.Name+" by no way", "INVALID_UPDATE_VERSION", 0, as(f.Level, 0))
			}
			try("one of two", "INVALID_UPDATE_VERSION", 0, as(f.Level, 1), update{Feature: "nosuch.version", MaxVersionLevel: 1, UpgradeType: 1})
		}
	})
}
