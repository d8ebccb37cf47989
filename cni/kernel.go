package cni

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/interception"
	"github.com/sluicemesh/sluice/iptables/xtables"
	"github.com/sluicemesh/sluice/netns"
)

// Kernel is the Rules of the kernel this runs on, through the same package as
// the init container's.
type Kernel struct{ Options interception.Options }

var _ Rules = Kernel{}

// Apply implements [Rules].
func (k Kernel) Apply(ctx context.Context, path string, c builder.Config) (Applied, error) {
	var r interception.Report
	err := inside(path, func() (err error) {
		r, err = interception.Apply(ctx, c, k.Options)
		return err
	})
	a := Applied{Backend: r.Backend, Changed: len(r.Changed) > 0}
	for _, remark := range r.Remarks {
		a.Warnings = append(a.Warnings, string(remark))
	}
	return a, coded("the pod's rules could not be loaded", err)
}

// Check implements [Rules].
func (k Kernel) Check(ctx context.Context, path string, c builder.Config) error {
	var drift []string
	err := inside(path, func() (err error) {
		drift, _, err = interception.Check(ctx, c, k.Options)
		return err
	})
	if err != nil || len(drift) == 0 {
		return coded("the pod's rules could not be compared", err)
	}
	message := "the pod's rules are not as they should be"
	if n := len(drift); n > 1 {
		message = fmt.Sprintf("%s (the first of %d differences)", message, n)
	}
	return &Error{Code: CodeVerify, Message: message, Details: drift[0]}
}

// Remove implements [Rules]. It is no error if the namespace is gone, or is the
// host's, which Apply refuses too.
func (k Kernel) Remove(ctx context.Context, path string) error {
	ns, err := open(path)
	if gone(err) {
		return nil
	}
	if err != nil {
		return unusable(err)
	}
	defer ns.Close()
	err = within(ns, func() error {
		_, err := interception.Clean(ctx, k.Options)
		return err
	})
	var host *netns.HostError
	if errors.As(err, &host) {
		return nil
	}
	return coded("the container's rules could not be removed", err)
}

// gone: the runtime has deleted the namespace, or left an empty file in its place.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, netns.ErrNoNamespace)
}

// Usable implements [Rules].
func (k Kernel) Usable(ctx context.Context) error { return interception.Usable(ctx, k.Options) }

// inside runs fn in the pod's namespace.
func inside(path string, fn func() error) error {
	ns, err := open(path)
	if err != nil {
		return unusable(err)
	}
	defer ns.Close()
	return within(ns, fn)
}

func unusable(err error) error {
	return &Error{Code: CodeEnvironment, Message: "CNI_NETNS cannot be used", Details: err.Error(), Err: err}
}

func open(path string) (*netns.Namespace, error) {
	target, err := netns.ParseTarget(path)
	if err != nil {
		return nil, err
	}
	return netns.Open(target)
}

// within refuses the host's namespace: rules there would capture the node.
func within(ns *netns.Namespace, fn func() error) error {
	if err := errors.Join(ns.RefuseOwn(), ns.RefuseHost()); err != nil {
		return &Error{Code: CodeHostNamespace, Message: "the namespace is not a pod's", Details: err.Error(), Err: err}
	}
	return ns.Do(fn)
}

// coded gives an error the code that says what a runtime or a person can do.
func coded(message string, err error) error {
	var own *Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	return &Error{Code: kernelCode(err), Message: message, Details: err.Error(), Err: err}
}

func kernelCode(err error) uint {
	var tables *xtables.Error
	switch interception.KindOf(err) {
	case interception.Unavailable, interception.Forbidden:
		return CodeBackend
	case interception.Busy:
		return CodeTryAgain
	case interception.Refused:
		return CodeHostNamespace
	}
	if errors.As(err, &tables) && tables.Op == "verify" {
		return CodeVerify
	}
	return CodeApply
}
