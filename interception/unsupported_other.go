//go:build !linux

package interception

import (
	"context"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/netns"
)

// Apply needs Linux.
func Apply(context.Context, builder.Config, Options) (Report, error) {
	return Report{}, netns.ErrUnsupported
}

// Check needs Linux.
func Check(context.Context, builder.Config, Options) ([]string, Report, error) {
	return nil, Report{}, netns.ErrUnsupported
}

// Clean needs Linux.
func Clean(context.Context, Options) (Report, error) { return Report{}, netns.ErrUnsupported }

// Usable needs Linux.
func Usable(context.Context, Options) error { return netns.ErrUnsupported }

// Read needs Linux.
func Read(context.Context, Options) ([]Live, error) { return nil, netns.ErrUnsupported }
