package cni

import (
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/cni/netconf"
)

// MaxInput bounds standard input in bytes: annotations hold at most 256 KiB,
// a prevResult some more, and JSON may write one byte as six.
const MaxInput = 4 << 20

// versions are those of the specification that the plugin speaks.
func versions() []string { return []string{"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"} }

// newest is the version that answers carry when the config names none.
const newest = "1.1.0"

// Request is one call of the runtime.
type Request struct {
	Verb        string
	ContainerID string
	Netns       string
	Ifname      string
	Args        netconf.Args
	ArgsErr     error
	Config      netconf.Config
	ConfigErr   error
}

// verb is one command of the specification.
type verb struct {
	name    string
	since   string // first version that has it
	decides bool   // goes through the decision table, which has a row for a bad config
	needs   []string
	run     func(*call) error
}

func verbs() []verb {
	return []verb{
		{"ADD", "0.3.0", true, []string{"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"}, (*call).add},
		{"CHECK", "0.4.0", true, []string{"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"}, (*call).check},
		{"DEL", "0.3.0", false, []string{"CNI_CONTAINERID", "CNI_IFNAME"}, (*call).del},
		{"GC", "1.1.0", false, nil, (*call).gc},
		{"STATUS", "1.1.0", false, nil, (*call).status},
	}
}

// readInput reads standard input to its end.
func readInput(stdin io.Reader) ([]byte, error) {
	doc, err := io.ReadAll(io.LimitReader(stdin, MaxInput+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, failf(CodeInput, "cannot read the network config: standard input did not end in time")
	case err != nil:
		return nil, failf(CodeInput, "cannot read the network config: %v", err)
	case len(doc) > MaxInput:
		return nil, failf(CodeConfig, "the network config is larger than %d bytes", MaxInput)
	}
	return doc, nil
}

// readRequest reads environment and network config. What is wrong with the
// config or CNI_ARGS is part of the request: the decision says whether it
// matters.
func readRequest(getenv func(string) string, doc []byte) Request {
	r := Request{
		Verb: getenv("CNI_COMMAND"), ContainerID: getenv("CNI_CONTAINERID"),
		Netns: getenv("CNI_NETNS"), Ifname: getenv("CNI_IFNAME"),
	}
	r.Config, r.ConfigErr = netconf.Parse(doc)
	r.Args, r.ArgsErr = netconf.ParseArgs(getenv("CNI_ARGS"))
	return r
}

// verb finds the command and checks that everything it needs is there.
func (r Request) verb() (verb, error) {
	all := verbs()
	i := slices.IndexFunc(all, func(v verb) bool { return v.name == r.Verb })
	if i < 0 {
		return verb{}, failf(CodeEnvironment, "CNI_COMMAND is %q; want ADD, CHECK, DEL, GC, STATUS or VERSION", r.Verb)
	}
	v := all[i]
	switch {
	case r.ConfigErr == nil:
		if err := r.checkVersion(v); err != nil {
			return v, err
		}
	case !v.decides:
		return v, &Error{Code: CodeConfig, Message: r.ConfigErr.Error(), Err: r.ConfigErr}
	}
	return v, r.checkNames(v)
}

func (r Request) checkVersion(v verb) error {
	have := slices.Index(versions(), r.Config.CNIVersion)
	switch {
	case have < 0:
		return failf(CodeVersion, "cniVersion %q is not spoken; want one of %s", r.Config.CNIVersion, strings.Join(versions(), ", "))
	case have < slices.Index(versions(), v.since):
		return failf(CodeVersion, "%s needs cniVersion %s or later, the config has %s", v.name, v.since, r.Config.CNIVersion)
	case r.Config.Name == "" && v.name != "STATUS" && v.name != "GC":
		return failf(CodeConfig, "the network config has no name")
	}
	return nil
}

// checkNames refuses what the specification does not allow, before any of it
// becomes part of a path.
func (r Request) checkNames(v verb) error {
	values := map[string]string{"CNI_CONTAINERID": r.ContainerID, "CNI_NETNS": r.Netns, "CNI_IFNAME": r.Ifname}
	for _, name := range v.needs {
		if values[name] == "" {
			return failf(CodeEnvironment, "%s needs %s, which is empty", v.name, name)
		}
	}
	switch {
	case r.ContainerID != "" && !validID(r.ContainerID):
		return failf(CodeEnvironment, "CNI_CONTAINERID %q is not a container id (letters, digits, _ . -)", r.ContainerID)
	case r.Ifname != "" && !validInterface(r.Ifname):
		return failf(CodeEnvironment, "CNI_IFNAME %q is not an interface name", r.Ifname)
	case r.Netns != "" && !path.IsAbs(r.Netns):
		return failf(CodeEnvironment, "CNI_NETNS %q is not an absolute path", r.Netns)
	}
	return nil
}

func validID(s string) bool {
	const maxName = 255 // NAME_MAX
	ok := func(r rune) bool { return alphanumeric(r) || strings.ContainsRune("_.-", r) }
	return len(s) <= maxName && alphanumeric(rune(s[0])) && strings.IndexFunc(s, func(r rune) bool { return !ok(r) }) < 0
}

func validInterface(s string) bool {
	const longest = 15 // IFNAMSIZ - 1
	return len(s) <= longest && s != "." && s != ".." && !strings.ContainsAny(s, "/: \t\n\v\f\r\x00")
}

func alphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
