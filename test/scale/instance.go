package scale

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/parts"
)

// The instances of CoreDNS that are compared.
const (
	idle       = "idle"
	kubernetes = "kubernetes"
	headless   = "headless"
	both       = "both"
)

// stanzas are their plugins. Nothing may end the wait for the first sync: that is what is measured.
var stanzas = map[string]string{
	idle:       "whoami",
	kubernetes: stanzaKubernetes,
	headless:   stanzaHeadless,
	both:       stanzaHeadless + stanzaKubernetes,
}

const (
	stanzaKubernetes = `
    kubernetes cluster.local {
        kubeconfig KUBECONFIG
        endpoint_pod_names
        startup_timeout 2m
    }`
	stanzaHeadless = `
    headless cluster.local {
        kubeconfig KUBECONFIG
        startup_timeout 2m
    }`
)

// instance is a CoreDNS of one kind, as often as it is started.
type instance struct {
	name    string
	dns     string // its address
	profile string // pprof's
	targets []*target
	proxy   *proxy
	watches int // of Services and EndpointSlices

	dir     string
	bin     string
	process *controlplane.Process
}

// newInstance writes the Corefile and the kubeconfig, which names the proxy, of a user of that name.
func newInstance(c *controlplane.ControlPlane, name, dir string) (_ *instance, err error) {
	i := &instance{name: name, dir: filepath.Join(dir, name)}
	if err := os.Mkdir(i.dir, 0o750); err != nil {
		return nil, err
	}
	if i.bin, err = parts.CoreDNSStatic.Path(); err != nil {
		return nil, err
	}
	for _, at := range []*string{&i.dns, &i.profile} {
		port, err := controlplane.FreePort()
		if err != nil {
			return nil, err
		}
		*at = "127.0.0.1:" + port
	}
	if i.proxy, err = newProxy(c.Address); err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(i.dir, "kubeconfig")
	if err := c.WriteKubeconfig(kubeconfig, i.proxy.address, token(name)); err != nil {
		return nil, err
	}
	_, port, _ := strings.Cut(i.dns, ":")
	text := ".:" + port + " {\n    bind 127.0.0.1\n    errors\n    pprof " + i.profile + "\n    " +
		strings.ReplaceAll(stanzas[name], "KUBECONFIG", kubeconfig) + "\n}\n"
	if err := os.WriteFile(i.corefile(), []byte(text), 0o600); err != nil {
		return nil, err
	}
	switch name {
	case kubernetes:
		i.targets = []*target{{instance: i, label: kubernetes, name: (*slot).long}}
	case headless:
		i.targets = []*target{{instance: i, label: headless, name: (*slot).short}}
	case both:
		i.targets = []*target{{instance: i, label: bothKubernetes, name: (*slot).long}, {instance: i, label: bothHeadless, name: (*slot).short}}
	}
	return i, nil
}

// token is what the instance proves itself with: the audit log tells users apart.
func token(name string) string { return name + "-of-a-measurement" }

func tokens() (lines []string) {
	for name := range stanzas {
		lines = append(lines, fmt.Sprintf("%s,%s,%s,system:masters", token(name), name, name))
	}
	return lines
}

func (i *instance) corefile() string { return filepath.Join(i.dir, "Corefile") }

// start starts CoreDNS, waits until it gives the first right answers, and says how long that took.
func (i *instance) start(ctx context.Context, s *slot) (time.Duration, error) {
	begun := time.Now()
	var err error
	if i.process, err = controlplane.StartProcess(i.dir, i.bin, "-conf", i.corefile()); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if len(i.targets) == 0 {
		t := &target{instance: i, name: (*slot).short}
		_, err := t.await(ctx, s, s.index*perSlice, netip.Addr{})
		return time.Since(begun), i.ended(err)
	}
	for _, t := range i.targets {
		if _, err := t.await(ctx, s, s.index*perSlice, s.addr(s.index*perSlice)); err != nil {
			return 0, i.ended(err)
		}
	}
	return time.Since(begun), nil
}

// ended adds to an error what CoreDNS said at its end, if it has ended.
func (i *instance) ended(err error) error {
	if err == nil {
		return nil
	}
	return errors.Join(fmt.Errorf("CoreDNS with %s: %w", i.name, err), i.process.Exited())
}

func (i *instance) stop() {
	if i.process != nil {
		i.process.Stop()
	}
	i.process = nil
}

func (i *instance) pid() int { return i.process.PID() }
