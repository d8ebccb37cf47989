package podsettings

import (
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/podapi"
	"github.com/sluicemesh/sluice/iptables"
)

// FuzzAnnotation: whatever a pod's author writes into an annotation or into the
// proxy's environment, it is refused or gives one line for each rule.
func FuzzAnnotation(f *testing.F) {
	var names []string
	for _, n := range Names() {
		names = append(names, n.Annotations...)
	}
	for i := range names {
		f.Add(uint8(i), "80,443", "ISTIO_META_DNS_CAPTURE", "true")
		f.Add(uint8(i), "10.0.0.0/8,*", "INVALID_DROP", "1")
		f.Add(uint8(i), "{\"interceptionMode\":\"TPROXY\"}", "ISTIO_DUAL_STACK", "")
		f.Add(uint8(i), "eth0\nCOMMIT\n*filter\n-A INPUT -j ACCEPT", "x", "y")
	}
	f.Fuzz(func(t *testing.T, i uint8, value, env, envValue string) {
		p := podapi.Pod{
			Annotations: map[string]string{names[int(i)%len(names)]: value, "sidecar.istio.io/status": value},
			Containers:  []podapi.Container{{Name: "istio-proxy", Env: []podapi.Env{{Name: env, Value: envValue}}}},
		}
		inputs, errs := Of(p)
		Warnings(p)
		Mode(p)
		if len(errs) > 0 {
			return
		}
		parsed, err := builder.Parse(inputs, builder.Options{})
		if err != nil {
			return
		}
		for _, family := range iptables.Families() {
			text := iptables.Render(builder.Build(parsed.Config, family))
			for line := range strings.Lines(text) {
				if !strings.HasPrefix(line, "-A ") && strings.Trim(line, "*:\n") != "" && strings.Contains(line, " -j ") {
					t.Fatalf("%q leaks into the text:\n%s", value, text)
				}
			}
			if _, err := iptables.Parse(family, text); err != nil {
				t.Fatalf("%q gives rules that do not read back: %v\n%s", value, err, text)
			}
		}
	})
}

// FuzzDecode: any document is a pod or an error, and what a pod says never
// makes its reading fail in another way.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"metadata":{"namespace":"a","name":"b","uid":"c","annotations":{"sidecar.istio.io/status":"{}"}},
		"spec":{"initContainers":[{"name":"istio-init"}],"containers":[{"name":"istio-proxy","env":[{"name":"A","valueFrom":{}}],"securityContext":{"runAsUser":1337}}]}}`))
	f.Add([]byte(`{"metadata":null,"spec":{"containers":[null,{}],"securityContext":{"runAsUser":-1}}}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(_ *testing.T, doc []byte) {
		p, err := Decode(doc)
		if err != nil {
			return
		}
		_, _ = Of(p)
		Warnings(p)
	})
}
