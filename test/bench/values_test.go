//go:build linux

package main

import (
	"net/netip"
	"testing"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/nftables"
)

// The pure steps of a run, one by one: `go test -bench . -benchmem ./test/bench`.

func inputs(ranges string) []builder.Input {
	return []builder.Input{
		{Flag: "istio-service-cidr", Value: "*"}, {Flag: "istio-inbound-ports", Value: "*"},
		{Flag: "istio-local-exclude-ports", Value: "15090,15021,15020"}, {Flag: "istio-service-exclude-cidr", Value: ranges},
	}
}

func config(b *testing.B, ranges string) builder.Config {
	b.Helper()
	parsed, err := builder.Parse(inputs(ranges), builder.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return parsed.Config
}

// sizes are the standard rules, and those with ten thousand ranges excluded.
func sizes(b *testing.B, do func(b *testing.B, ranges string)) {
	b.Run("standard", func(b *testing.B) { do(b, "") })
	b.Run("10000CIDRs", func(b *testing.B) { do(b, cidrs(10000)) })
}

func BenchmarkSettings(b *testing.B) {
	sizes(b, func(b *testing.B, ranges string) {
		list := inputs(ranges)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := builder.Parse(list, builder.Options{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	sizes(b, func(b *testing.B, ranges string) {
		c := config(b, ranges)
		b.ReportAllocs()
		for b.Loop() {
			builder.Build(c, iptables.V4)
		}
	})
}

func BenchmarkRender(b *testing.B) {
	sizes(b, func(b *testing.B, ranges string) {
		rules := builder.Build(config(b, ranges), iptables.V4)
		b.ReportAllocs()
		for b.Loop() {
			_ = iptables.Render(rules)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	sizes(b, func(b *testing.B, ranges string) {
		text := iptables.Render(builder.Build(config(b, ranges), iptables.V4))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := iptables.Parse(iptables.V4, text); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkReconcileNothingToDo(b *testing.B) {
	sizes(b, func(b *testing.B, ranges string) {
		rules := builder.Build(config(b, ranges), iptables.V4)
		b.ReportAllocs()
		for b.Loop() {
			if s := iptables.Reconcile(rules, rules); !s.Empty() {
				b.Fatal(s)
			}
		}
	})
}

func BenchmarkTrace(b *testing.B) {
	sizes(b, func(b *testing.B, ranges string) {
		tracer := builder.Build(config(b, ranges), iptables.V4).Tracer()
		p := iptables.Packet{
			Protocol: iptables.ProtoTCP, Src: netip.MustParseAddr("192.0.2.2"), Dst: netip.MustParseAddr("198.51.100.9"),
			SrcPort: 40000, DstPort: 80, Out: "eth0", Owner: &iptables.Owner{UID: 1000, GID: 1000},
		}
		b.ReportAllocs()
		for b.Loop() {
			if out := tracer.Trace(p, iptables.Leaving); out.Fate != iptables.Redirected {
				b.Fatal(out)
			}
		}
	})
}

func BenchmarkTranslate(b *testing.B) {
	sizes(b, func(b *testing.B, ranges string) {
		c := config(b, ranges)
		v4, v6 := builder.Build(c, iptables.V4), builder.Build(c, iptables.V6)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := nftables.Translate(nftables.Inet, v4, v6); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkTransaction(b *testing.B) {
	sizes(b, func(b *testing.B, ranges string) {
		c := config(b, ranges)
		ts, err := nftables.Translate(nftables.Inet, builder.Build(c, iptables.V4), builder.Build(c, iptables.V6))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			_ = nftables.Changes(nil, ts).Messages()
		}
	})
}
