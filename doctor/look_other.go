//go:build !linux

package doctor

import (
	"context"

	"github.com/sluicemesh/sluice/interception"
)

// Look needs Linux, and says so.
func Look(context.Context, interception.Options) Report {
	var r Report
	r.add("system", Problem, "this is not Linux", "rules can be printed, explained, compared and drawn here, not programmed", "")
	return r
}
