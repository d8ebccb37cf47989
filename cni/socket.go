package cni

import (
	"context"

	"github.com/sluicemesh/sluice/cni/podapi"
)

// Socket is the Agent behind the node's socket.
type Socket struct{}

var _ Agent = Socket{}

// Ask implements [Agent].
func (Socket) Ask(ctx context.Context, path string, q podapi.Request) (podapi.Response, error) {
	return podapi.Ask(ctx, path, q)
}

// Tell implements [Agent].
func (Socket) Tell(ctx context.Context, path string, r podapi.Report) error {
	return podapi.Tell(ctx, path, r)
}

// Note implements [Agent].
func (Socket) Note(ctx context.Context, path string, r podapi.Report) error {
	return podapi.Note(ctx, path, r)
}
