package interception

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/netns"
	"github.com/sluicemesh/sluice/test/leak"
)

// No goroutine outlives what started it.
func TestMain(m *testing.M) { leak.Main(m) }

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func config(t *testing.T, pairs ...string) builder.Config {
	t.Helper()
	var inputs []builder.Input
	for _, p := range append([]string{"istio-inbound-ports=*", "istio-service-cidr=*"}, pairs...) {
		flag, value, _ := strings.Cut(p, "=")
		inputs = append(inputs, builder.Input{Flag: flag, Value: value, Origin: "test"})
	}
	parsed, err := builder.Parse(inputs, builder.Options{})
	must(t, err)
	return parsed.Config
}

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }

func facts(status netns.IPv6Status, addrs ...string) netns.Facts {
	f := netns.Facts{IPv6: status}
	for _, a := range addrs {
		f.Addrs = append(f.Addrs, netns.Addr{Prefix: prefix(a), Dev: "eth0"})
	}
	return f
}
