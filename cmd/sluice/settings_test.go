package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"

	"github.com/sluicemesh/sluice/builder"
)

func TestAUserIsLookedUpOnlyWhereNobodySaysTheProxysUID(t *testing.T) {
	file := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(file, []byte("proxy-uid: 2000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		args     []string
		user     string // ENVOY_USER
		known    string // the user that there is, with the uid 1500
		want     string
		lookedUp string
	}{
		{name: "flag", args: []string{"-u", "1000"}, user: "envoy", known: "envoy", want: "1000"},
		{name: "empty flag", args: []string{"-u", ""}, user: "envoy", known: "envoy", want: "1500", lookedUp: "envoy"},
		{name: "file", args: []string{"--config", file}, known: "istio-proxy", want: "2000"},
		{name: "user beside a file", args: []string{"--config", file}, user: "envoy", known: "envoy", want: "1500", lookedUp: "envoy"},
		{name: "unknown user beside a file", args: []string{"--config", file}, user: "envoy", want: "2000", lookedUp: "envoy"},
		{name: "the mesh's user", known: "istio-proxy", want: "1500", lookedUp: "istio-proxy"},
		{name: "nobody", want: "1337", lookedUp: "istio-proxy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			command, lookedUp := &cobra.Command{}, ""
			p := program{env: func(name string) (string, bool) { return c.user, name == "ENVOY_USER" && c.user != "" }}
			v := bind(command, p, settingOptions(), sourceOptions())
			if err := command.ParseFlags(c.args); err != nil {
				t.Fatal(err)
			}
			parsed, err := settings(v, builder.Options{ReadFile: readSmallFile, LookUpUser: func(name string) (uint32, error) {
				lookedUp = name
				if name != c.known {
					return 0, errors.New("nobody")
				}
				return 1500, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			if got := parsed.Config.ProxyUIDs; len(got) != 1 || got[0].String() != c.want || lookedUp != c.lookedUp {
				t.Errorf("uid %v, looked up %q; want %s and %q", got, lookedUp, c.want, c.lookedUp)
			}
		})
	}
}
