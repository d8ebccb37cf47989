// Package arch holds the code to the architecture: what may import what, what
// the programs may link, and that packages keep no state. Each rule stands in a
// table here with its reason, and a violation is reported with it.
package arch

// layers are the module's top directories, lowest first. A package imports
// packages of its own top directory and of lower layers, never sideways or up.
var layers = []layer{
	{[]string{"internal"}, "small tools without policy; they know nothing of ours"},
	{[]string{"iptables"}, "the vocabulary: every other package speaks it, so it can speak of none"},
	{[]string{"builder", "netns", "nftables"}, "policy, place and one rendering: each works without the others"},
	{[]string{"interception"}, "puts policy, place and rendering together: one way into a namespace for everybody"},
	{[]string{"doctor", "validation", "explain", "diff", "graph", "cni"}, "users of the lower layers; none needs another"},
	{[]string{"cmd"}, "thin mains: parse, call, print"},
}

type layer struct {
	dirs []string
	why  string
}

// outside are the directories to which layers don't apply: tests look at
// everything, deploy packs what was built, and nothing of the product may look
// at them.
var outside = []string{"test", "testdata", "deploy"}

// ban keeps some packages from importing some others.
type ban struct {
	in      string   // package or directory of packages, relative to the module
	except  []string // directories within that may
	imports []string // packages; "x/" is everything below x
	linked  bool     // also through other packages
	why     string
}

var bans = []ban{
	{in: "builder", imports: []string{"os", "os/", "net", "net/http", "time", "log", "log/slog", "math/rand", "math/rand/v2", "golang.org/x/sys/"},
		why: "the same settings give the same rules on any machine at any time, and someone else decides where they come from"},
	{in: "iptables", except: []string{"iptables/xtables", "iptables/iptablestest"}, imports: []string{"os", "os/", "net", "time", "log", "log/slog"},
		why: "rules are values; processes are run by one subpackage"},
	{in: "", except: []string{"cmd", "cni", "test"}, imports: []string{"log", "log/slog"},
		why: "libraries return facts and errors; who logs them decides in which form"},
	{in: "", except: []string{"cni/node", "cmd/sluice-node", "test"}, imports: []string{"k8s.io/client-go/", "k8s.io/api/", "k8s.io/apimachinery/", "github.com/prometheus/", "github.com/fsnotify/"},
		why: "only the node agent is a Kubernetes client; it costs every start 12 ms and 12 MB"},
	{in: "", except: []string{"cmd/sluice"}, imports: []string{"github.com/spf13/cobra", "github.com/spf13/pflag"},
		why: "only sluice has a command line of that size"},
	{in: "cmd/sluice", imports: []string{"k8s.io/", "github.com/prometheus/"}, linked: true,
		why: "the init container reads manifests as text and talks to no API server"},
	{in: "cmd/sluice-cni", imports: []string{"k8s.io/", "github.com/prometheus/", "github.com/spf13/", "net/http", "crypto/tls"}, linked: true,
		why: "it starts once per pod while the pod waits; TLS, HTTP and flags are start-up time and megabytes"},
	{in: "", except: []string{"test", "iptables/iptablestest"}, imports: []string{"testing"},
		why: "it registers flags and grows the binary"},
}
