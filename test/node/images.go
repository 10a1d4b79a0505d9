package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/coredns-headless/headless/test/parts"
)

// Image is what the stories' containers run in the tests, in place of the images that their manifests name.
const (
	Image      = "docker.io/library/client:test"
	pauseImage = "docker.io/library/pause:test"
	dnsImage   = "localhost/coredns-headless:0.1.0" // as deploy/ has it
	// stockImage is named as kubeadm names what it installs, with --image-repository=localhost; inside is the version
	// that the plugin is built with.
	stockImage = "localhost/coredns:v1.14.2"
)

// images are made on the spot of this machine's programs: a static busybox, getent with its libraries (glibc), and
// programs that look names up as musl and as Go do.
func (n *Node) images() ([]image, error) {
	pause := image{
		name: pauseImage, files: map[string]string{"bin/busybox": "/bin/busybox"},
		command: []string{"/bin/busybox", "sleep", "2147483647"},
	}
	client := image{
		name: Image, files: map[string]string{"bin/busybox": "/bin/busybox", "bin/getent": "/usr/bin/getent"}, links: map[string]string{},
		texts: map[string]string{
			"etc/nsswitch.conf": "hosts: files dns\n", "etc/passwd": "root:x:0:0:root:/:/bin/sh\n", "etc/group": "root:x:0:\n",
		},
		command: []string{"/bin/sleep", "2147483647"},
	}
	applets, err := exec.Command("/bin/busybox", "--list").Output()
	if err != nil {
		return nil, err
	}
	for applet := range strings.FieldsSeq(string(applets)) {
		if applet != "busybox" {
			client.links["bin/"+applet] = "busybox"
		}
	}
	libs, err := exec.Command("ldd", "/usr/bin/getent").Output()
	if err != nil {
		return nil, err
	}
	for _, lib := range regexp.MustCompile(`/\S+`).FindAllString(string(libs), -1) {
		client.files[strings.TrimPrefix(lib, "/")] = lib
	}
	for _, lib := range []string{"libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"} { // opened by glibc when it is asked
		path := filepath.Join("/lib/x86_64-linux-gnu", lib)
		if _, err := os.Stat(path); err == nil {
			client.files[strings.TrimPrefix(path, "/")] = path
		}
	}
	source := filepath.Join(parts.Root(), "test", "node")
	for name, build := range map[string][]string{
		"lookup-go":   {"go", "build", "-o", filepath.Join(n.dir, "lookup-go"), "./lookup"},
		"lookup-musl": {"musl-gcc", "-static", "-o", filepath.Join(n.dir, "lookup-musl"), "testdata/lookup-musl.c"},
	} {
		cmd := exec.Command(build[0], build[1:]...)
		cmd.Dir = source
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w: %s", name, err, text)
		}
		client.files["bin/"+name] = filepath.Join(n.dir, name)
	}
	dns := image{name: dnsImage, files: map[string]string{}, server: "coredns"}
	if dns.files["coredns"], err = parts.CoreDNSStatic.Path(); err != nil {
		return nil, err
	}
	stock := image{name: stockImage, files: map[string]string{}, server: "coredns"}
	stock.files["coredns"], err = parts.CoreDNSStock.Path()
	return []image{pause, client, dns, stock}, err
}
