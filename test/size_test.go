package test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/server"
)

const (
	crowd     = 5000 // endpoints of the Service crowd
	perSlice  = 1000
	crowdName = "crowd.mgmt.example.com."
	crowdPort = "_amqp._tcp.crowd.mgmt.example.com."
)

// writeCrowd writes the manifests of a headless Service of 5,000 pods.
func writeCrowd(t *testing.T) (file string) {
	t.Helper()
	items := []any{&corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "big", Name: "crowd"},
		Spec:       corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Ports: []corev1.ServicePort{{Name: "amqp", Port: port}}},
	}}
	addr := netip.MustParseAddr("10.78.0.1")
	for n := 0; n < crowd; n += perSlice {
		var endpoints []endpoint
		for i := range perSlice {
			endpoints = append(endpoints, endpoint{pod: fmt.Sprintf("pod-%d", n+i), addr: addr.String()})
			addr = addr.Next()
		}
		s := slice("big", "crowd", endpoints)
		s.TypeMeta = metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"}
		s.Namespace, s.Name = "big", fmt.Sprintf("crowd-%d", n)
		items = append(items, s)
	}
	text, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "crowd.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Of 5,000 addresses a client gets as many as it can take, in a message that is whole, and TC says that there are
// more.
func TestSize(t *testing.T) {
	t.Parallel()
	fitsTheClient(t, runCorefile(t, `.:PORT {
    bind 127.0.0.1
    ready READY
    headless cluster.local {
       manifests CROWD
       suffix mgmt.example.com big.svc.cluster.local
    }
}
`, "CROWD", writeCrowd(t)))
}

// A client is what it says of itself in a query.
type client struct {
	network string
	bufsize uint16 // of EDNS; 0 is a client that has never heard of it
	do      bool
}

// limit is the longest reply that it can take.
func (c client) limit() int {
	if c.network == "tcp" {
		return dns.MaxMsgSize
	}
	return max(dns.MinMsgSize, int(c.bufsize))
}

// ask sends a question as that client does, and checks what every reply must be.
func (c client) ask(t *testing.T, s *server.Server, qname string, qtype uint16) message {
	t.Helper()
	q := new(dns.Msg).SetQuestion(qname, qtype)
	if c.bufsize > 0 {
		q.SetEdns0(c.bufsize, c.do)
	}
	r := exchange(t, s, c.network, q)
	if len(r.octets) > c.limit() {
		t.Errorf("%+v, %s: %d octets", c, q.Question[0].String(), len(r.octets))
	}
	opts := 0
	for _, rr := range r.Extra {
		if o, ok := rr.(*dns.OPT); ok {
			opts++
			if o.Do() != c.do || o.Version() != 0 {
				t.Errorf("%+v, %s: OPT %s", c, q.Question[0].String(), o)
			}
		}
	}
	if want := map[bool]int{true: 1}[c.bufsize > 0]; opts != want {
		t.Errorf("%+v, %s: %d OPT records, want %d", c, q.Question[0].String(), opts, want)
	}
	return r
}

// fitsTheClient asks as many kinds of clients do.
func fitsTheClient(t *testing.T, s *server.Server) {
	t.Helper()
	for _, c := range []client{
		{network: "udp"},
		{network: "udp", bufsize: 100},
		{network: "udp", bufsize: 512},
		{network: "udp", bufsize: 512, do: true},
		{network: "udp", bufsize: 1232},
		{network: "udp", bufsize: 1232, do: true},
		{network: "udp", bufsize: 4096},
		{network: "udp", bufsize: 9000},
		{network: "tcp"},
		{network: "tcp", bufsize: 1232},
		{network: "tcp", bufsize: 4096, do: true},
	} {
		for _, question := range []struct {
			name string
			typ  uint16
			room int // octets that one more record can need
		}{
			{crowdName, dns.TypeA, 16},
			{crowdPort, dns.TypeSRV, 2 + 10 + 6 + len("pod-4999.") + len(crowdName) + 1}, // a target is not compressed everywhere
		} {
			r := c.ask(t, s, question.name, question.typ)
			seen := make(map[string]bool)
			for _, rr := range r.Answer {
				if rr.Header().Name != question.name || rr.Header().Rrtype != question.typ || rr.Header().Ttl != 5 {
					t.Fatalf("%+v: %s", c, rr)
				}
				seen[rr.String()] = true
			}
			if len(seen) != len(r.Answer) {
				t.Errorf("%+v, %s: %d records, %d of them once", c, question.name, len(r.Answer), len(seen))
			}
			if r.Rcode != dns.RcodeSuccess || !r.Truncated || len(r.Answer) == 0 || len(r.octets)+question.room < c.limit() {
				t.Errorf("%+v, %s: %s, TC %v, %d records in %d octets", c, question.name, dns.RcodeToString[r.Rcode], r.Truncated, len(r.Answer), len(r.octets))
			}
		}
	}
}
