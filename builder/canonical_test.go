package builder

import (
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

// parsed reads settings given as flag and value in turn.
func parsed(t *testing.T, pairs ...string) Config {
	t.Helper()
	var inputs []Input
	for i := 0; i < len(pairs); i += 2 {
		inputs = append(inputs, Input{pairs[i], pairs[i+1], "test"})
	}
	p, err := Parse(inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p.Config
}

func classic(t *testing.T, more ...string) Config {
	t.Helper()
	return parsed(t, append([]string{
		"envoy-port", "15001", "inbound-capture-port", "15006", "proxy-uid", "1337", "proxy-gid", "1337",
		"istio-inbound-interception-mode", "REDIRECT", "istio-service-cidr", "*", "istio-service-exclude-cidr", "",
		"istio-inbound-ports", "*", "istio-local-exclude-ports", "15090,15021,15020",
	}, more...)...)
}

func TestClassicFlagsGiveTheContractsRules(t *testing.T) {
	const want = `*nat
:ISTIO_INBOUND - [0:0]
:ISTIO_IN_REDIRECT - [0:0]
:ISTIO_OUTPUT - [0:0]
:ISTIO_REDIRECT - [0:0]
-A PREROUTING -p tcp -j ISTIO_INBOUND
-A OUTPUT -p tcp -j ISTIO_OUTPUT
-A ISTIO_INBOUND -p tcp -m tcp --dport 15008 -j RETURN
-A ISTIO_INBOUND -p tcp -m tcp --dport 15090 -j RETURN
-A ISTIO_INBOUND -p tcp -m tcp --dport 15021 -j RETURN
-A ISTIO_INBOUND -p tcp -m tcp --dport 15020 -j RETURN
-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT
-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006
-A ISTIO_OUTPUT -s 127.0.0.6/32 -o lo -j RETURN
-A ISTIO_OUTPUT ! -d 127.0.0.1/32 -o lo -p tcp -m tcp ! --dport 15008 -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT
-A ISTIO_OUTPUT ! -d 127.0.0.1/32 -o lo -p tcp -m tcp ! --dport 15008 -m owner --gid-owner 1337 -j ISTIO_IN_REDIRECT
-A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN
-A ISTIO_OUTPUT -m owner --gid-owner 1337 -j RETURN
-A ISTIO_OUTPUT -o lo -j RETURN
-A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN
-A ISTIO_OUTPUT -j ISTIO_REDIRECT
-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001
COMMIT
`
	if got := iptables.Render(Build(classic(t), iptables.V4)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
