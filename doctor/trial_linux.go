package doctor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/interception"
)

// backends tries each backend with rules that use every match and target that
// sluice ever uses, in a namespace made for it.
func (r *Report) backends(ctx context.Context, o interception.Options) {
	for _, b := range []builder.Backend{builder.BackendIptablesNft, builder.BackendIptablesLegacy, builder.BackendNftables} {
		topic := "backend " + string(b)
		err := inScratch(func() error { return tryAll(ctx, b, o) })
		switch {
		case err == nil:
			r.Backends = append(r.Backends, string(b))
			r.add(topic, Good, "works: REDIRECT, TPROXY, DNS zones, both families", "", "")
		case errors.Is(err, errNoScratch):
			r.untried(ctx, b, o)
		default:
			r.add(topic, Warning, err.Error(), "cannot be used here", "")
		}
	}
	switch {
	case len(r.Backends) > 0:
		r.add("backend auto", Good, "takes "+r.auto(ctx, o), "", "")
	case r.MayProgram:
		r.add("backend auto", Problem, "no backend works here", "nothing can be programmed", "load the missing kernel modules on the host, or install iptables")
	}
}

// untried looks from outside where no scratch namespace can be made.
func (r *Report) untried(ctx context.Context, b builder.Backend, o interception.Options) {
	if err := interception.UsableAs(ctx, b, o); err != nil {
		r.add("backend "+string(b), Warning, err.Error(), "cannot be used here", "")
		return
	}
	r.Backends = append(r.Backends, string(b))
	r.add("backend "+string(b), Good, "is here and answers", "not tried out: that takes CAP_SYS_ADMIN, for a namespace to try it in", "")
}

// auto is the backend that a run here would take, and why.
func (r *Report) auto(ctx context.Context, o interception.Options) string {
	name, why, err := interception.Chosen(ctx, builder.BackendAuto, o)
	if err != nil {
		return "none: " + err.Error()
	}
	return name + " (" + strings.Join(why, "; ") + ")"
}

// tryAll programs both modes and clears up.
func tryAll(ctx context.Context, b builder.Backend, o interception.Options) error {
	for _, mode := range []builder.Mode{builder.RedirectMode, builder.TProxyMode} {
		c := everything(b)
		c.Mode = mode
		if _, err := interception.Apply(ctx, c, o); err != nil {
			return fmt.Errorf("%s mode: %w", mode, err)
		}
	}
	return nil
}

// everything is a configuration that needs each kernel feature once.
func everything(b builder.Backend) builder.Config {
	c := builder.Default()
	c.Backend = b
	c.Inbound = builder.InboundPorts{Except: true}
	c.IncludeCIDRs = builder.CIDRs{All: true}
	c.DNS = builder.DNS{All: true}
	c.DropInvalid = true
	_ = c.ExcludeOutboundPorts.UnmarshalText([]byte("1,3,5,7,9,11")) // a constant: multiport
	return c
}

var errNoScratch = errors.New("no network namespace can be made here")

// inScratch runs do in a network namespace of its own. Its thread is never
// used again, and the namespace ends with it.
func inScratch(do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the runtime ends the thread
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("%w: %w", errNoScratch, err)
			return
		}
		if err := raiseLo(); err != nil {
			done <- err
			return
		}
		done <- do()
	}()
	return <-done
}

// raiseLo puts lo up, as a container runtime does.
func raiseLo() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}
