package ships

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/test/containerd"
	"github.com/sluicemesh/sluice/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// top is the repository, seen from this package.
const top = "../.."

// images builds images the way `make image` does, from the sources in dir, and
// returns the folder they are in.
func images(t *testing.T, dir string, names ...string) string {
	t.Helper()
	out := t.TempDir()
	args := []string{"-s", "image", "IMAGES=" + strings.Join(names, " "), "VERSION=v0.0.0-test", "REVISION=0", "SOURCE_DATE_EPOCH=1000000000", "DIST=" + out}
	cmd := exec.Command("make", args...)
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make %v: %v\n%s", args, err, text)
	}
	return out
}

func TestTheSameSourcesGiveTheSameImageInAnyFolder(t *testing.T) {
	here := read(t, images(t, top, "sluice-iptables"), "sluice-iptables.oci.tar")
	there := read(t, images(t, copyOfSources(t), "sluice-iptables"), "sluice-iptables.oci.tar")
	if !bytes.Equal(here, there) {
		t.Errorf("two builds differ: index is %s in one, %s in the other", fileOf(t, here, "index.json"), fileOf(t, there, "index.json"))
	}
}

// copyOfSources is a folder with the files that are under version control or
// new, and the download cache.
func copyOfSources(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	list := command(t, top, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	for name := range strings.SplitSeq(strings.Trim(list, "\x00"), "\x00") {
		copyFile(t, filepath.Join(top, name), filepath.Join(to, name))
	}
	command(t, top, "cp", "-a", "--parents", "build/debian", to)
	return to
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if errors.Is(err, os.ErrNotExist) { // deleted, not yet committed
		return
	} else if err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, body, info.Mode()); err != nil {
		t.Fatal(err)
	}
}

func TestImagesStateWhatTheyAreForBothArchitectures(t *testing.T) {
	layout := read(t, images(t, top, "sluice"), "sluice.oci.tar")
	var index struct{ Manifests []struct{ Digest string } }
	parse(t, fileOf(t, layout, "index.json"), &index)
	var platforms struct {
		Manifests []struct {
			Digest   string
			Platform struct{ Architecture string }
		}
	}
	parse(t, blob(t, layout, index.Manifests[0].Digest), &platforms)
	var got []string
	for _, m := range platforms.Manifests {
		got = append(got, m.Platform.Architecture)
		var manifest struct{ Config struct{ Digest string } }
		parse(t, blob(t, layout, m.Digest), &manifest)
		var config struct {
			Architecture string
			Config       struct {
				User   string
				Labels map[string]string
			}
		}
		parse(t, blob(t, layout, manifest.Config.Digest), &config)
		if l := config.Config.Labels["org.opencontainers.image.version"]; l != "v0.0.0-test" || config.Config.User != "1337:1337" {
			t.Errorf("%s: got version label %q and user %q, want v0.0.0-test and 1337:1337", config.Architecture, l, config.Config.User)
		}
	}
	if want := "amd64 arm64"; strings.Join(got, " ") != want {
		t.Errorf("got architectures %v, want %s", got, want)
	}
}

// meshed is the command line with which an injector starts the init container.
func meshed(more ...string) []string {
	return append([]string{"istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT",
		"-i", "*", "-x", "", "-b", "*", "-d", "15090,15021,15020", "--log_output_level=default:info"}, more...)
}

func TestImagesProgramAPodWithAReadOnlyRootAndOnlyTheStatedCapabilities(t *testing.T) {
	dir := images(t, top, "sluice", "sluice-iptables")
	r := containerd.Start(t)
	r.Import(filepath.Join(dir, "sluice.oci.tar"))
	r.Import(filepath.Join(dir, "sluice-iptables.oci.tar"))
	r.Conflist("10-pods.conflist", `{"cniVersion":"1.0.0","name":"pods","plugins":[{"type":"ptp","ipMasq":false,"ipam":{"type":"host-local","dataDir":"`+
		r.Dir+`/ipam","ranges":[[{"subnet":"198.18.7.0/24"}],[{"subnet":"2001:db8:7::/64"}]]}}]}`)
	for _, tc := range []struct {
		name, image, backend string
		capabilities         []string
		uid                  int64
		code                 int32
		says                 string
	}{
		{"native", "sluice", "nftables", []string{"NET_ADMIN"}, 0, 0, "applied and verified for IPv4 and IPv6"},
		{"whatever works", "sluice", "auto", []string{"NET_ADMIN"}, 0, 0, "applied and verified for IPv4 and IPv6"},
		{"iptables-nft", "sluice-iptables", "iptables-nft", []string{"NET_ADMIN"}, 0, 0, "applied and verified for IPv4 and IPv6"},
		{"iptables-legacy", "sluice-iptables", "iptables-legacy", []string{"NET_ADMIN", "NET_RAW"}, 0, 0, "applied and verified for IPv4 and IPv6"},
		{"iptables asked of the image without it", "sluice", "iptables-nft", []string{"NET_ADMIN"}, 0, 69, "iptables"},
		{"no capability", "sluice", "auto", nil, 1337, 77, "NET_ADMIN"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := r.MustRunPod(containerd.PodSpec{})
			defer p.Remove()
			code, out := p.Run(containerd.Container{
				Name: "istio-init", Image: "ghcr.io/sluicemesh/" + tc.image + ":v0.0.0-test", Args: meshed("--backend=" + tc.backend),
				UID: tc.uid, GID: tc.uid, Capabilities: tc.capabilities, ReadOnlyRoot: true, NoNewPrivs: true,
			}).Wait()
			if code != tc.code || !strings.Contains(out, tc.says) {
				t.Errorf("got exit code %d and output\n%s\nwant %d and %q", code, out, tc.code, tc.says)
			}
		})
	}
}

// The chart gives the agent no capability unless it repairs pods in place.
func TestTheNodeImageInstallsThePluginWithoutAnyCapability(t *testing.T) {
	r := containerd.Start(t)
	r.Import(filepath.Join(images(t, top, "sluice-node"), "sluice-node.oci.tar"))
	r.Conflist("10-pods.conflist", `{"cniVersion":"1.0.0","name":"pods","plugins":[{"type":"ptp","ipam":{"type":"host-local","dataDir":"`+
		r.Dir+`/ipam","ranges":[[{"subnet":"198.18.7.0/24"}]]}}]}`)
	code, out := r.MustRunPod(containerd.PodSpec{}).Run(containerd.Container{
		Name: "agent", Image: "ghcr.io/sluicemesh/sluice-node:v0.0.0-test",
		Args: []string{"install", "--once", "--host-root=/host", "--mounted=/etc/cni/net.d,/opt/cni/bin", "--conf-dir=/etc/cni/net.d",
			"--bin-dir=/opt/cni/bin", "--plugin=/usr/local/bin/sluice-cni"},
		ReadOnlyRoot: true, NoNewPrivs: true,
		Mounts: map[string]string{"/host/etc/cni/net.d": r.ConfDir(), "/host/opt/cni/bin": filepath.Join(r.Dir, "cni/bin")},
	}).Wait()
	if code != 0 {
		t.Fatalf("got exit code %d and output\n%s\nwant 0", code, out)
	}
	if got := string(read(t, r.ConfDir(), "10-pods.conflist")); !strings.Contains(got, "sluice-cni") {
		t.Errorf("got the configuration\n%s\nwant the plugin in it", got)
	}
	r.MustRunPod(containerd.PodSpec{}) // not meshed: passes through the plugin that was installed
	_, err := r.RunPod(containerd.PodSpec{Annotations: map[string]string{"sidecar.istio.io/status": "{}"}})
	if err == nil || !strings.Contains(err.Error(), "sluice-cni") {
		t.Errorf("a meshed pod while no agent answers: got %v, want the plugin's error", err)
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// fileOf is a file of a tar archive.
func fileOf(t *testing.T, archive []byte, name string) []byte {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err != nil {
			t.Fatalf("%s in the archive: %v", name, err)
		}
		if h.Name == name {
			body, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return body
		}
	}
}

func blob(t *testing.T, layout []byte, digest string) []byte {
	t.Helper()
	return fileOf(t, layout, "blobs/"+strings.Replace(digest, ":", "/", 1))
}

func parse(t *testing.T, doc []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(doc, into); err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
}

// command runs a program in a folder and returns its standard output.
func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0") // Go programs as they ship, also under the race detector
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}
