package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/cni/netconf"
	"github.com/sluicemesh/sluice/cni/node/agent"
	"github.com/sluicemesh/sluice/cni/node/hostfs"
	"github.com/sluicemesh/sluice/cni/node/install"
)

// list is a flag of comma-separated words.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(s string) error {
	*l = (*l)[:0]
	for word := range strings.SplitSeq(s, ",") {
		if word = strings.TrimSpace(word); word != "" {
			*l = append(*l, word)
		}
	}
	return nil
}

// host are the flags of every command that looks at the host's folders.
type host struct {
	root, confDir, binDir, confFile string
	mounts                          list
	program, keys, socket           string
	owned, pluginOnly               bool
	logLevel, logFormat             string
}

func (h *host) register(f *flag.FlagSet) {
	f.StringVar(&h.root, "host-root", "/", "where the host's / is seen")
	f.Var(&h.mounts, "mounted", "folders of the host that are seen there (comma-separated); empty means all")
	f.StringVar(&h.confDir, "conf-dir", "", "the host's folder of network configurations; empty means look for it")
	f.StringVar(&h.binDir, "bin-dir", "", "the host's folder of plugins; empty means look for it")
	f.StringVar(&h.confFile, "conf-file", "", "name of the configuration to edit; empty means the one that the runtime loads")
	f.StringVar(&h.program, "plugin", "/usr/local/bin/"+agent.PluginType, "the plugin's program in this image")
	f.StringVar(&h.keys, "plugin-config", "", "the plugin's settings: a JSON object, or @FILE")
	f.StringVar(&h.socket, "agent-socket", netconf.DefaultSocket, "the socket for plugins, as a path of the host and of this container")
	f.BoolVar(&h.owned, "owned-conflist", false, "write a list of our own in front of the primary plugin's, which survives a reboot")
	f.BoolVar(&h.pluginOnly, "plugin-only", false, "install the program and no entry: Multus names it in a network attachment")
	f.StringVar(&h.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&h.logFormat, "log-format", "text", "text or json")
}

// parse reads the flags of one command and takes nothing else.
func parse(name string, args []string, log io.Writer, register ...func(*flag.FlagSet)) error {
	f := flag.NewFlagSet("sluice-node "+name, flag.ContinueOnError)
	f.SetOutput(log)
	for _, r := range register {
		r(f)
	}
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return badUsage(err.Error())
	}
	if f.NArg() > 0 {
		return badUsage(fmt.Sprintf("%s takes no argument %q", name, f.Arg(0)))
	}
	return nil
}

func (h *host) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(h.logLevel)); err != nil {
		return nil, badUsage("--log-level: " + err.Error())
	}
	o := &slog.HandlerOptions{Level: level}
	switch h.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, badUsage(fmt.Sprintf("--log-format %q: want text or json", h.logFormat))
}

// readKeys gives the plugin's settings: the flag's value, or the file's that it
// names.
func readKeys(value string) ([]byte, error) {
	if file, ok := strings.CutPrefix(value, "@"); ok {
		return os.ReadFile(file)
	}
	return []byte(value), nil
}

// installer makes an installer of the flags, and prints what discovery tried.
func (h *host) installer(out io.Writer) (install.Installer, netconf.Config, error) {
	keys, err := readKeys(h.keys)
	if err != nil {
		return install.Installer{}, netconf.Config{}, err
	}
	entry, config, err := agent.Entry(keys, h.socket)
	if err != nil {
		return install.Installer{}, netconf.Config{}, badUsage(err.Error())
	}
	i := install.Installer{
		Host:    hostfs.FS{Root: h.root, Mounts: h.mounts},
		ConfDir: h.confDir, BinDir: h.binDir, Program: h.program,
		Want: install.Want{Entry: entry, Named: h.confFile, Owned: h.owned, PluginOnly: h.pluginOnly},
	}
	if err := h.check(); err != nil {
		return i, config, err
	}
	return i, config, discover(&i, out)
}

func (h *host) check() error {
	for _, p := range slices.Concat([]string{h.root, h.socket}, h.mounts) {
		if !path.IsAbs(p) {
			return badUsage(fmt.Sprintf("%q: want an absolute path", p))
		}
	}
	if h.owned && h.pluginOnly {
		return badUsage("--owned-conflist and --plugin-only exclude each other")
	}
	if strings.Contains(h.confFile, "/") {
		return badUsage("--conf-file: want a name within --conf-dir")
	}
	return nil
}

// discover fills in the folders that were not given.
func discover(i *install.Installer, out io.Writer) error {
	if i.ConfDir != "" && i.BinDir != "" {
		return nil
	}
	place, tried, err := install.Discover(i.Host)
	if printErr := install.PrintTried(out, tried, place); err == nil {
		err = printErr
	}
	if i.ConfDir == "" {
		i.ConfDir = place.ConfDir
	}
	if i.BinDir == "" {
		i.BinDir = place.BinDir
	}
	return err
}
