package wire

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/kafka"
)

// Ways to change a feature: up, down without loss, down.
const (
	featureUpgrade         = 1
	featureSafeDowngrade   = 2
	featureUnsafeDowngrade = 3
)

// UpdateFeatures: v0-2
//
// Behaviour:
//   - Features are fixed: asking for the level that is in force succeeds, all else
//     is INVALID_UPDATE_VERSION. One refusal refuses the whole request.
//
// Versions:
//   - v1: the way of the change, and only looking (KIP-778)
//   - v2: no results by feature any more (KIP-1022)
func (a *api) updateFeatures(r *Request, req *kmsg.UpdateFeaturesRequest) Reply {
	resp := req.ResponseKind().(*kmsg.UpdateFeaturesResponse)
	for _, u := range req.FeatureUpdates {
		if err := checkFeature(u, req.Version, a.node.id); err != nil {
			resp.ErrorCode, resp.ErrorMessage = a.code(r, err), explain(err)
			resp.Results = nil
			return answer(resp)
		}
		if req.Version <= 1 {
			out := kmsg.NewUpdateFeaturesResponseResult()
			out.Feature = u.Feature
			resp.Results = append(resp.Results, out)
		}
	}
	return answer(resp)
}

// checkFeature returns nil or a Refusal.
func checkFeature(u kmsg.UpdateFeaturesRequestFeatureUpdate, version int16, node int32) error {
	refuse := func(why string, args ...any) error {
		return catalog.Refuse(kerr.InvalidUpdateVersion, "The update failed for all features since the following feature had an error: Invalid update version %d for feature %s. "+why, append([]any{u.MaxVersionLevel, u.Feature}, args...)...)
	}
	i := slices.IndexFunc(kafka.Features, func(f kafka.Feature) bool { return f.Name == u.Feature })
	switch {
	case i < 0:
		return refuse("Local controller %d does not support this feature.", node)
	case version >= 1 && u.UpgradeType != featureUpgrade && u.UpgradeType != featureSafeDowngrade && u.UpgradeType != featureUnsafeDowngrade:
		return refuse("The upgrade type %d is none of 1 (up), 2 (safely down), 3 (down).", u.UpgradeType)
	case u.MaxVersionLevel != kafka.Features[i].Level:
		return refuse("Here its level is always %d.", kafka.Features[i].Level)
	}
	return nil
}
