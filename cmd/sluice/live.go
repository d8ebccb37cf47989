package main

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/explain"
	"github.com/sluicemesh/sluice/interception"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/netns"
)

// others says that a connection meets more rules than those of one backend.
func others(one interception.Live, all []interception.Live) string {
	var names []string
	for _, l := range all {
		if l.Backend != one.Backend {
			names = append(names, l.Backend)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "a connection passes the rules of " + strings.Join(names, " and ") + " too, and whichever captures or drops it has done so"
}

func rank(l interception.Live) int {
	if (subject{rules: l.Rules}).ours() {
		return 1
	}
	return 0
}

// readLive reads the rules of a namespace, a subject for each backend that
// holds any. Looking changes nothing, so any namespace may be named.
func readLive(ctx context.Context, log logger, name string) ([]subject, error) {
	var live []interception.Live
	err := enter(name, true, func() (err error) {
		live, err = interception.Read(ctx, interception.Options{Debug: log.debug})
		return err
	})
	// The backend that holds rules of ours is what most people ask about.
	slices.SortStableFunc(live, func(a, b interception.Live) int { return rank(b) - rank(a) })
	title := "live"
	if name != "" {
		title += " namespace " + name
	}
	var list []subject
	for _, l := range live {
		list = append(list, subject{title: title + ", backend " + l.Backend, note: others(l, live), rules: l.Rules})
	}
	if err == nil && len(list) == 0 {
		list = []subject{{title: title + ", no rules", rules: []iptables.Ruleset{{Family: iptables.V4}, {Family: iptables.V6}}}}
	}
	return list, err
}

// placed tells subjects that are read from a living namespace about it, so far
// as it bears on the question: its addresses, and the way to the destination.
func (a applyRun) placed(ctx context.Context, list []subject, q explain.Question) error {
	if !a.v.bool("live") {
		return nil
	}
	place := &explain.Place{}
	err := enter(a.v.namespace(), true, func() (err error) {
		place.Own, place.Out, err = surroundings(ctx, q)
		return err
	})
	for i := range list {
		list[i].place = place
	}
	return err
}

// surroundings looks at the calling thread's namespace.
func surroundings(ctx context.Context, q explain.Question) (own []explain.Home, out explain.Home, err error) {
	conn, err := netns.Dial()
	if err != nil {
		return nil, out, err
	}
	defer conn.Close()
	facts, err := conn.Look(ctx)
	if err != nil {
		return nil, out, err
	}
	ips := facts.IPs()
	for _, a := range facts.Addrs {
		if slices.Contains(ips, a.Prefix.Addr()) {
			own = append(own, explain.Home{Addr: a.Prefix.Addr(), Interface: a.Dev})
		}
	}
	if to := q.To.Addr(); to.IsValid() && !q.Inbound() {
		out, err = wayTo(ctx, conn, to)
	}
	return own, out, err
}

func wayTo(ctx context.Context, conn *netns.Conn, to netip.Addr) (explain.Home, error) {
	hop, err := conn.Hop(ctx, to)
	return explain.Home{Addr: hop.Source, Interface: hop.Interface}, err
}
