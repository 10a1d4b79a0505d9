package transfer

import (
	"errors"
	"strings"
	"testing"

	"github.com/miekg/dns"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/server"
)

// An ExternalName that leads to another namespace shows that one's addresses, without the cluster's names. If a transfer has
// them, they are a part of the zone, and a change of them is one of the zone.
func ofWhatLiesElsewhere(t *testing.T, s *server.Server) {
	k := key{"elsewhere." + mgmt, dns.TypeA}
	before := mustAXFR(t, address(s), mgmt)
	changeQueue(t, "10.151.31.2")
	defer changeQueue(t, "10.151.31.1")
	poll(t, patience, func() error {
		m, err := ask(address(s), "queue.other."+root, dns.TypeA)
		if err == nil && (len(m.Answer) != 1 || !strings.HasSuffix(m.Answer[0].String(), "\t10.151.31.2")) {
			err = errors.New("the new address does not show")
		}
		return err
	})
	after := mustAXFR(t, address(s), mgmt)
	has(t, after, map[string][]string{k.String(): {"10.151.31.2"}})
	if before.rrsets[k] != nil && !newer(after.soa.Serial, before.soa.Serial) {
		t.Errorf("%q became %q, the serial %d after %d", before.rrsets[k], after.rrsets[k], after.soa.Serial, before.soa.Serial)
	}
}

// changeQueue gives the peer in namespace other an address.
func changeQueue(t *testing.T, addr string) {
	t.Helper()
	client := cluster.Client.DiscoveryV1().EndpointSlices("other")
	slice, err := client.Get(t.Context(), "queue-1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	slice.Endpoints[0].Addresses = []string{addr}
	if _, err := client.Update(t.Context(), slice, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}
