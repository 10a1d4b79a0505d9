// Package parts builds the programs that tests run, from Go modules, and keeps them for the next time.
package parts

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// A Part is a program that tests run.
type Part struct {
	Name string
	// dir is the module that it is built in, below the project's root. Except for CoreDNS it holds nothing but
	// versions.
	dir string
	// pkg is the package to build.
	pkg string
	// flags for go build.
	flags []string
	// asset says that KUBEBUILDER_ASSETS can bring it.
	asset bool
}

// What a cluster is made of comes from one module: its parts share what they depend on, and what is compiled of it.
const (
	cluster     = "test/tools/kubernetes"
	kubeVersion = "v1.36.3"
)

func kubernetes(name string) Part {
	return Part{
		Name: name, dir: cluster, pkg: "k8s.io/kubernetes/cmd/" + name, asset: name == "kube-apiserver",
		flags: []string{"-ldflags", "-s -w -X k8s.io/component-base/version.gitVersion=" + kubeVersion},
	}
}

// The parts of a control plane, and CoreDNS with the plugin; the stock one is of the same version, without it.
var (
	Etcd              = Part{Name: "etcd", dir: cluster, pkg: "go.etcd.io/etcd/server/v3", asset: true}
	APIServer         = kubernetes("kube-apiserver")
	ControllerManager = kubernetes("kube-controller-manager")
	Kwok              = Part{Name: "kwok", dir: cluster, pkg: "sigs.k8s.io/kwok/cmd/kwok"}
	CoreDNS           = coreDNS()
	CoreDNSStatic     = Part{Name: "coredns", dir: "build", pkg: ".", flags: []string{"-buildvcs=false", "-ldflags", "-s -w"}} // as make build does
	CoreDNSStock      = Part{Name: "coredns-stock", dir: "build", pkg: "github.com/coredns/coredns", flags: CoreDNSStatic.flags}
	Scheduler         = kubernetes("kube-scheduler")
	Proxy             = kubernetes("kube-proxy")
	Kubelet           = kubernetes("kubelet")
	Kubectl           = kubernetes("kubectl")
	Kubeadm           = kubernetes("kubeadm")
	Benchstat         = Part{Name: "benchstat", dir: "test/tools/benchstat", pkg: "golang.org/x/perf/cmd/benchstat"}
	Md2man            = Part{Name: "go-md2man", dir: "test/tools/go-md2man", pkg: "github.com/cpuguy83/go-md2man/v2"}
	GolangciLint      = Part{Name: "golangci-lint", dir: "test/tools/golangci-lint", pkg: "github.com/golangci/golangci-lint/v2/cmd/golangci-lint"}
)

// Tools lists the parts that are built when asked for by name.
var Tools = []Part{Benchstat, GolangciLint, Md2man}

// EndToEnd lists the parts that `make test` runs, Node those that `make test-all` needs besides: a real node is made
// of them.
var (
	EndToEnd = []Part{Etcd, APIServer, ControllerManager, Kwok, Kubectl, CoreDNS, CoreDNSStatic, CoreDNSStock}
	Node     = []Part{Scheduler, Proxy, Kubelet, Kubeadm}
)

const raceName = "coredns-race"

func coreDNS() Part {
	p := CoreDNSStatic
	if race {
		p.Name, p.flags = raceName, []string{"-race"}
	}
	return p
}

// Root is the project's root folder.
var Root = sync.OnceValue(func() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
})

// ModuleDir is the folder of the module that a part's package comes from.
func (p Part) ModuleDir(module string) (string, error) {
	out, err := p.command("list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("find module %s: %w", module, err)
	}
	return string(bytes.TrimSpace(out)), nil
}

// there is where the parts are that this process found up to date: go build takes seconds to find out, on a busy
// machine.
var there = struct {
	sync.Mutex
	by map[string]string
}{by: make(map[string]string)}

// Path builds the part unless it is there, says so on stderr, and returns where it is.
func (p Part) Path() (string, error) {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); p.asset && dir != "" {
		return filepath.Join(dir, p.Name), nil
	}
	there.Lock()
	defer there.Unlock()
	if bin, ok := there.by[p.Name]; ok {
		return bin, nil
	}
	bin, err := p.find()
	if err == nil {
		there.by[p.Name] = bin
	}
	return bin, err
}

func (p Part) find() (string, error) {
	bin := filepath.Join(Root(), ".cache", "bin", p.Name)
	if p.dir == CoreDNS.dir { // its sources change: go build knows what is up to date
		return bin, p.build(bin)
	}
	stamp, err := p.stamp()
	if err != nil {
		return "", err
	}
	if was, err := os.ReadFile(bin + ".stamp"); err == nil && bytes.Equal(was, stamp) {
		if _, err := os.Stat(bin); err == nil {
			return bin, nil
		}
	}
	if err := p.build(bin); err != nil {
		return "", err
	}
	return bin, os.WriteFile(bin+".stamp", stamp, 0o600)
}

// stamp is what the program depends on.
func (p Part) stamp() ([]byte, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), p)
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(Root(), p.dir, name))
		if err != nil {
			return nil, err
		}
		h.Write(text)
	}
	return fmt.Appendf(nil, "%x\n", h.Sum(nil)), nil
}

func (p Part) build(bin string) error {
	if err := os.MkdirAll(filepath.Dir(bin), 0o750); err != nil {
		return err
	}
	begun := time.Now()
	done := make(chan struct{})
	defer close(done)
	go p.tell(begun, done)
	args := append([]string{"build", "-o", bin}, p.flags...)
	if p.Name != raceName {
		args = append(args, "-trimpath") // as make build and make lint do: what one compiled serves all
	}
	if p.dir != CoreDNS.dir {
		args = append(args, "-gcflags=all=-l -dwarf=false") // a quarter less to do, and nobody debugs these
	}
	if out, err := p.command(append(args, p.pkg)...).CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("build %s: %w", p.Name, err), errors.New(string(out)))
	}
	if d := time.Since(begun); d > tellAfter {
		fmt.Fprintf(os.Stderr, "built %s in %s\n", p.Name, d.Round(time.Second))
	}
	return nil
}

const tellAfter = 5 * time.Second

// tell says that a build goes on: from an empty cache it takes minutes.
func (p Part) tell(begun time.Time, done <-chan struct{}) {
	t := time.NewTicker(tellAfter)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			fmt.Fprintf(os.Stderr, "building %s, %s so far (kept for the next time)\n", p.Name, time.Since(begun).Round(time.Second))
			t.Reset(30 * time.Second)
		case <-done:
			return
		}
	}
}

func (p Part) command(args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Dir = filepath.Join(Root(), p.dir)
	cmd.Env = append(os.Environ(), "GOGC=400") // of the compiler, which takes a tenth less time
	if p.Name != raceName {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	}
	return cmd
}
