// Package image tests the container image: what is in it, and that it serves with no more rights than it needs.
package image

import (
	"bytes"
	"crypto/x509"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredns-headless/headless"
	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/parts"
	"github.com/coredns-headless/headless/test/server"
)

func TestImage(t *testing.T) {
	m := start(t)
	const version = headless.Version
	name := "localhost/coredns-headless:" + version
	dir := t.TempDir()
	one, both := filepath.Join(dir, "one.tar"), filepath.Join(dir, "both.tar")
	m.make(t, "image", "ARCHIVE="+one)
	m.make(t, "image", "ARCHIVE="+both, "IMAGE=localhost/list:"+version, "PLATFORMS=linux/amd64,linux/arm64")

	a := open(t, one)
	d := a.only(t)
	t.Run("holds CoreDNS and certificates", func(t *testing.T) {
		c, files := a.image(t, d)
		wantConfig(t, c, version)
		program := wantFiles(t, files)
		path, err := parts.CoreDNSStatic.Path()
		if err != nil {
			t.Fatal(err)
		}
		built, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(program, built) {
			t.Error("its CoreDNS is not the one of `make build`")
		}
	})
	t.Run("is a list for both architectures", func(t *testing.T) {
		b := open(t, both)
		list := decode[index](t, b.blob(t, b.only(t))).Manifests
		if len(list) != 2 {
			t.Fatalf("%d images", len(list))
		}
		if list[0].Platform.Architecture == "arm64" { // in the order in which they were ready
			slices.Reverse(list)
		}
		for i, want := range []struct {
			arch    string
			machine elf.Machine
		}{{"amd64", elf.EM_X86_64}, {"arm64", elf.EM_AARCH64}} {
			if p := list[i].Platform; p.OS != "linux" || p.Architecture != want.arch {
				t.Fatalf("image %d is for %s, want %s", i, p, want.arch)
			}
			c, files := b.image(t, list[i])
			wantConfig(t, c, version)
			if c.Architecture != want.arch {
				t.Errorf("image for %s says %s", want.arch, c.Architecture)
			}
			f, err := elf.NewFile(bytes.NewReader(wantFiles(t, files)))
			if err != nil {
				t.Fatal(err)
			}
			if f.Machine != want.machine {
				t.Errorf("%s: CoreDNS is for %s", want.arch, f.Machine)
			}
			if want.arch == decode[config](t, a.blob(t, decode[manifest](t, a.blob(t, d)).Config)).Architecture && list[i].Digest != d.Digest {
				t.Errorf("%s: built twice, %s and %s", want.arch, list[i].Digest, d.Digest)
			}
		}
	})
	t.Run("serves", func(t *testing.T) { serves(t, m, one, name) })
}

func wantConfig(t *testing.T, c config, version string) {
	t.Helper()
	var want config
	want.OS, want.Architecture = "linux", c.Architecture
	want.Config.User, want.Config.Entrypoint = "65532:65532", []string{"/coredns"}
	want.Config.ExposedPorts = map[string]struct{}{"53/udp": {}, "53/tcp": {}}
	want.Config.Env = c.Config.Env
	want.Config.Labels = c.Config.Labels
	if !reflect.DeepEqual(c, want) {
		t.Errorf("config is %+v, want %+v", c, want)
	}
	for label, want := range map[string]string{"title": "CoreDNS with headless", "version": version, "licenses": "Apache-2.0"} {
		if got := c.Config.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s is %q, want %q", label, got, want)
		}
	}
}

// wantFiles returns CoreDNS.
func wantFiles(t *testing.T, files []entry) (program []byte) {
	t.Helper()
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name, "/"))
		if f.Uid != 0 || f.Mode&0o022 != 0 {
			t.Errorf("%s belongs to %d, mode %o: others than root can write it", f.Name, f.Uid, f.Mode)
		}
		capability := f.PAXRecords["SCHILY.xattr.security.capability"]
		switch f.Name {
		case "coredns":
			program = f.content
			// As setcap writes cap_net_bind_service=ep: revision 2, effective; capability 10 permitted.
			if want := "\x01\x00\x00\x02\x00\x04" + strings.Repeat("\x00", 14); capability != want {
				t.Errorf("capability of CoreDNS: %q, want %q", capability, want)
			}
		case "etc/ssl/certs/ca-certificates.crt":
			if !x509.NewCertPool().AppendCertsFromPEM(f.content) {
				t.Error("no certificates")
			}
		}
	}
	if want := []string{"coredns", "etc", "etc/ssl", "etc/ssl/certs", "etc/ssl/certs/ca-certificates.crt"}; !slices.Equal(names, want) {
		t.Errorf("files are %q, want %q", names, want)
	}
	return program
}

const corefile = `.:53 {
    bind 127.0.0.1
    headless cluster.local {
        manifests /etc/coredns/cluster.yaml
        suffix mgmt.pix.yun.com default.svc.cluster.local
    }
}
`

// serves runs the image as a kubelet runs CoreDNS: read-only, without capabilities but that one, none to be gained.
func serves(t *testing.T, m *machine, archive, name string) {
	file := filepath.Join(t.TempDir(), "Corefile")
	if err := os.WriteFile(file, []byte(corefile), 0o644); err != nil { // #nosec G306 -- user 65532 reads it
		t.Fatal(err)
	}
	if out, err := m.run("podman", "image", "rm", "--all"); err != nil { // what is run is what is in the archive
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := m.run("podman", "load", "--input", archive); err != nil || !strings.Contains(out, name) {
		t.Fatalf("load: %v: %s", err, out)
	}
	podman := func(options ...string) (string, error) {
		return m.run(slices.Concat([]string{
			"podman", "run", "--cgroup-parent", "/" + m.cgroup, "--network", "host", "--pull", "never",
			"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
			"--volume", file + ":/etc/coredns/Corefile:ro", "--volume", filepath.Join(parts.Root(), "examples", "cluster.yaml") + ":/etc/coredns/cluster.yaml:ro",
		}, options, []string{name, "-conf", "/etc/coredns/Corefile"})...)
	}

	if out, err := podman(); err == nil || !strings.Contains(out, "operation not permitted") {
		t.Errorf("without NET_BIND_SERVICE: %v\n%s", err, out)
	}
	if out, err := podman("--cap-add", "NET_BIND_SERVICE", "--detach", "--name", "dns"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var r server.Reply
	err := controlplane.Poll(time.Minute, nil, func() error {
		out, err := m.run("dig", "@127.0.0.1", "+tries=1", "web-1.mgmt.pix.yun.com")
		if r = server.Parse(out); err == nil && len(r.Addresses()) == 0 {
			err = errors.New(out)
		}
		return err
	})
	if err != nil {
		logs, _ := m.run("podman", "logs", "dns") // what there is of them
		t.Fatalf("no answer: %v\n%s", err, logs)
	}
	if got := r.Addresses(); !slices.Equal(got, []string{"10.244.0.6"}) {
		t.Errorf("web-1 is %s", got)
	}
	status, err := m.run("sh", "-c", "cat /proc/$(podman inspect -f '{{.State.Pid}}' dns)/status")
	if err != nil {
		t.Fatalf("%v: %s", err, status)
	}
	for _, want := range []string{
		"Uid:\t65532\t65532\t65532\t65532\n", "Gid:\t65532\t65532\t65532\t65532\n", "NoNewPrivs:\t1\n",
		"CapPrm:\t0000000000000400\n", "CapEff:\t0000000000000400\n", "CapBnd:\t0000000000000400\n",
		"CapAmb:\t0000000000000000\n", // so it is the file that gave it the capability
	} {
		if !strings.Contains(status, want) {
			t.Errorf("want %q in its status:\n%s", want, status)
		}
	}
}
