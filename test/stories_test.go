package test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/server"
)

// What is in the cluster, as Kubernetes' own controllers publish it, is found under the names that README promises.
func TestStories(t *testing.T) {
	t.Parallel()
	s := start(t, suffix, "suffix k8s.example.org svc.cluster.local", "suffix web.example.org nginx.default.svc.cluster.local")
	for name, test := range map[string]func(*testing.T, *server.Server){
		"storm": storm, "search list": searchList, "ws": ws, "one address": oneAddress, "same name": sameName,
		"dual stack": dualStack, "targets": targetsOfAllKinds,
		"hostname without subdomain": hostnameWithoutSubdomain, "a name of the node's domain": peerHidesANameOfTheNodesDomain,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

// A StatefulSet's pods are found under their host names alone, which is what Storm registers in ZooKeeper.
func storm(t *testing.T, s *server.Server) {
	web := addresses(t, "default", "nginx")
	for pod, addr := range web {
		want(t, s, pod+".default.svc.cluster.local", addr)
		want(t, s, pod+".mgmt.pix.yun.com", addr)
		want(t, s, pod+".nginx.mgmt.pix.yun.com", addr)
		want(t, s, pod+".nginx.default.svc.cluster.local", addr) // as before
		wantStatus(t, s, "NOERROR", pod+".mgmt.pix.yun.com", "TXT")
	}
	want(t, s, "NGINX.Mgmt.PIX.yun.com", sorted(web)...)
	// NODATA has the SOA that *kubernetes* has.
	ours, theirs := s.Dig(t, "web-1.default.svc.cluster.local", "AAAA"), s.Dig(t, "nginx.default.svc.cluster.local", "AAAA")
	if len(ours.Answer) > 0 || !slices.Equal(ours.Authority, theirs.Authority) || !slices.Equal(ours.Flags, theirs.Flags) {
		t.Errorf("SOA of NODATA: want\n%s\ngot\n%s", theirs.Text, ours.Text)
	}
	wantStatus(t, s, "NXDOMAIN", "web-7.default.svc.cluster.local")
	wantStatus(t, s, "NXDOMAIN", "web-7.mgmt.pix.yun.com")
	wantStatus(t, s, "NOERROR", "mgmt.pix.yun.com")
	wantLog(t, s, "synced after")
	if m := s.Metrics(t); !strings.Contains(m, `coredns_headless_synced{source="kubeconfig `+cluster.Kubeconfig+`"} 1`) {
		t.Errorf("metrics do not say synced:\n%s", m)
	}
}

// With a pod's own search list the name web-1 is enough.
func searchList(t *testing.T, s *server.Server) {
	r := searching(t, s, podSearch("default"), "web-1")
	if got, wanted := r.Addresses(), []string{addresses(t, "default", "nginx")["web-1"]}; !slices.Equal(got, wanted) {
		t.Errorf("web-1: got %q, want %q\n%s", got, wanted, r.Text)
	}
	if !strings.Contains(r.Text, "web-1.default.svc.cluster.local.") {
		t.Errorf("the search list was not walked:\n%s", r.Text)
	}
}

// podSearch is the search list that kubelet gives to a namespace's pods, less the node's own.
func podSearch(namespace string) string {
	return namespace + ".svc.cluster.local svc.cluster.local cluster.local"
}

// searching asks for a name with a search list, as a pod would.
func searching(t *testing.T, s *server.Server, search, name string) server.Reply {
	t.Helper()
	server.Need(t, "unshare", "util-linux")
	resolv := filepath.Join(t.TempDir(), "resolv.conf")
	text := "search " + search + "\nnameserver 127.0.0.1\noptions ndots:5\n"
	if err := os.WriteFile(resolv, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// dig reads no other resolv.conf than /etc's, so it gets a mount namespace in which that is the pod's.
	const script = `mount --bind "$1" /etc/resolv.conf && shift && exec dig "$@"`
	ns := []string{"--mount", "--propagation", "private"}
	if os.Geteuid() != 0 {
		ns = append(ns, "--user", "--map-root-user")
	}
	if out, err := exec.Command("unshare", append(ns, "true")...).CombinedOutput(); err != nil {
		server.Missing(t, "no right to make a mount namespace: "+string(out))
	}
	out, err := exec.Command("unshare", append(ns, "sh", "-c", script, "sh", resolv, "-p", s.Port, "+search", "+tries=1", name)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return server.Parse(string(out))
}

// A Deployment's pods have no record at all in stock CoreDNS.
func ws(t *testing.T, s *server.Server) {
	pods := addresses(t, "default", "ws")
	for pod, addr := range pods {
		for _, name := range []string{".mgmt.pix.yun.com", ".ws.mgmt.pix.yun.com", ".default.svc.cluster.local", ".ws.default.svc.cluster.local"} {
			want(t, s, pod+name, addr)
			wantStatus(t, s, "NOERROR", pod+name, "AAAA")
		}
	}
	want(t, s, "ws.mgmt.pix.yun.com", sorted(pods)...)
}

// A headless Service without a selector, its Endpoints made by hand.
func oneAddress(t *testing.T, s *server.Server) {
	want(t, s, "etcd-k8s.mgmt.pix.yun.com", "10.151.30.57")
	for _, name := range []string{
		"10-151-30-57.mgmt.pix.yun.com", "10-151-30-57.etcd-k8s.mgmt.pix.yun.com",
		"10-151-30-57.default.svc.cluster.local", "10-151-30-57.etcd-k8s.default.svc.cluster.local",
	} {
		want(t, s, name, "10.151.30.57")
	}
}

// The Service wins over the pod that has its name, as it did before.
func sameName(t *testing.T, s *server.Server) {
	solo := addresses(t, "default", "solo")
	if len(solo) != 2 {
		t.Fatalf("Service solo has endpoints %v, want two", solo)
	}
	want(t, s, "solo.default.svc.cluster.local", sorted(solo)...)
	want(t, s, "solo.mgmt.pix.yun.com", sorted(solo)...)
	want(t, s, "solo.solo.default.svc.cluster.local", solo["solo"])
	want(t, s, "solo.solo.mgmt.pix.yun.com", solo["solo"])
}

// Addresses of both families under one name, from slices of both.
func dualStack(t *testing.T, s *server.Server) {
	for _, name := range []string{"dual-0.default.svc.cluster.local", "dual-0.mgmt.pix.yun.com", "dual.mgmt.pix.yun.com"} {
		want(t, s, name, "10.151.30.58")
		if r := s.Dig(t, name, "AAAA"); !slices.Equal(r.Addresses(), []string{"2001:db8::58"}) {
			t.Errorf("%s AAAA:\n%s", name, r.Text)
		}
	}
}

// A suffix hangs on the root of the tree, on a namespace or on a Service.
func targetsOfAllKinds(t *testing.T, s *server.Server) {
	web := addresses(t, "default", "nginx")
	rabbit := addresses(t, "other", "queue")["rabbit-0"]
	want(t, s, "web.example.org", sorted(web)...)
	want(t, s, "web-0.web.example.org", web["web-0"])
	wantStatus(t, s, "NXDOMAIN", "web-0.nginx.web.example.org")
	want(t, s, "rabbit-0.other.k8s.example.org", rabbit)
	want(t, s, "rabbit-0.queue.other.k8s.example.org", rabbit)
	want(t, s, "queue.other.k8s.example.org", rabbit)
	wantStatus(t, s, "NOERROR", "other.k8s.example.org") // an empty non-terminal
	wantStatus(t, s, "NXDOMAIN", "nowhere.k8s.example.org")
	wantStatus(t, s, "NXDOMAIN", "rabbit-0.mgmt.pix.yun.com") // of another namespace
	if r := s.Dig(t, "api.mgmt.pix.yun.com"); !strings.HasPrefix(strings.Join(r.Addresses(), " "), "10.96.") && len(r.Addresses()) != 1 {
		t.Errorf("a ClusterIP Service has its cluster IP:\n%s", r.Text)
	}
}

func sorted(addrs map[string]string) []string {
	return slices.Sorted(maps.Values(addrs))
}
