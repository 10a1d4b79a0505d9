package test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/server"
)

// makePod makes a pod that runs nowhere, and has an address all the same.
func makePod(t *testing.T, namespace, name, addr string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pod.yaml")
	text := fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {namespace: %s, name: %s}\nspec: {containers: [{name: c, image: c}]}\n", namespace, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Create(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	status := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, PodIP: addr, PodIPs: []corev1.PodIP{{IP: addr}}},
	}
	if _, err := cluster.Client.CoreV1().Pods(namespace).UpdateStatus(t.Context(), status, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// With *autopath* a pod's first question is answered as if it had walked its search list: to a peer in its own
// namespace, to one in another, and out of the cluster, past names that look like a peer's.
func TestAutopath(t *testing.T) {
	t.Parallel()
	const pod = "127.0.0.77" // dig can ask from there
	ns := makeNamespace(t, "autopath")
	makeService(t, ns, "queue", rabbits...)
	makeService(t, ns, "test", rabbits...) // company.test is no peer of it
	makePod(t, ns, "client", pod)
	s := runCorefile(t, `.:PORT {
    bind 127.0.0.1
    ready READY
    autopath @kubernetes
    headless cluster.local {
       kubeconfig KUBECONFIG
    }
    kubernetes cluster.local {
       kubeconfig KUBECONFIG
       pods verified
    }
    forward . STUB
}
`, "STUB", server.Stub(t))
	search := "." + ns + ".svc.cluster.local"
	from := func(source, name, qtype string) server.Reply {
		t.Helper()
		return s.Dig(t, "-b", source, name+search, qtype)
	}
	web := addresses(t, "default", "nginx")["web-0"]
	for name, addr := range map[string]string{
		"rabbit-0": "10.77.0.1", "rabbit-5cc96-xyz": "10.77.0.3", "rabbit-5cc96-xyz.queue": "10.77.0.3",
		"web-0.default": web, "www.example.org": "192.0.2.1", "ns.company.test": "192.0.2.53",
	} {
		if r := from(pod, name, "A"); r.Status != "NOERROR" || !slices.Equal(r.Addresses(), []string{addr}) {
			t.Errorf("%s: want %s\n%s", name, addr, r.Text)
		}
	}
	if r := from(pod, "web-0.default", "A"); !strings.Contains(strings.Join(r.Answer, "\n"), " CNAME web-0.default.svc.cluster.local.") {
		t.Errorf("no walk to the second name of the search list:\n%s", r.Text)
	}
	if r := from("127.0.0.1", "web-0.default", "A"); r.Status != "NXDOMAIN" {
		t.Errorf("only a pod has a search list:\n%s", r.Text)
	}
	// The walk ends at a peer that has no such address: NXDOMAIN of a later step would deny it altogether.
	for _, name := range []string{"rabbit-0", "web-0.default"} {
		if r := from(pod, name, "AAAA"); r.Status != "NOERROR" || len(r.Answer) > 0 {
			t.Errorf("%s AAAA: want NODATA\n%s", name, r.Text)
		}
	}
	if r := from(pod, "company.test", "NS"); !strings.Contains(strings.Join(r.Answer, "\n"), " NS ns.company.test.") {
		t.Errorf("the walk does not reach company.test:\n%s", r.Text)
	}
	if r := from(pod, "nobody", "A"); r.Status != "NXDOMAIN" {
		t.Errorf("nobody is somebody:\n%s", r.Text)
	}
}

// With *view* the same suffix is one namespace's for some clients, and another's for the rest; each block has its own
// stanza.
func TestView(t *testing.T) {
	t.Parallel()
	ns := makeNamespace(t, "view")
	makeService(t, ns, "queue", rabbits...)
	block := func(view, target, own string) string {
		return `.:PORT {
    bind 127.0.0.1
    ` + view + `
    headless cluster.local {
       kubeconfig KUBECONFIG
       suffix mgmt.example.com ` + target + `
       suffix ` + own + ` default.svc.cluster.local
    }
    kubernetes cluster.local {
       kubeconfig KUBECONFIG
    }
}
`
	}
	s := runCorefile(t, block("ready READY\n view some {\n expr client_ip() == '127.0.0.61'\n }", ns+".svc.cluster.local", "some.example.com")+
		block("", "other.svc.cluster.local", "rest.example.com"))
	rabbit, web := addresses(t, "other", "queue")["rabbit-0"], addresses(t, "default", "nginx")["web-0"]
	for _, c := range []struct{ source, name, addr string }{
		{"127.0.0.61", "rabbit-0.mgmt.example.com", "10.77.0.1"},
		{"127.0.0.62", "rabbit-0.mgmt.example.com", rabbit},
		{"127.0.0.61", "web-0.some.example.com", web},
		{"127.0.0.62", "web-0.rest.example.com", web},
		{"127.0.0.61", "web-0.default.svc.cluster.local", web},
		{"127.0.0.62", "web-0.default.svc.cluster.local", web},
		{"127.0.0.61", "web-0.rest.example.com", ""},
		{"127.0.0.62", "web-0.some.example.com", ""},
		{"127.0.0.62", "rabbit-1.mgmt.example.com", ""},
	} {
		if r := s.Dig(t, "-b", c.source, c.name); strings.Join(r.Addresses(), " ") != c.addr {
			t.Errorf("%s from %s: want %q\n%s", c.name, c.source, c.addr, r.Text)
		}
	}
}
