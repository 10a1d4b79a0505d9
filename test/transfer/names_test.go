package transfer

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// asked are the types that are asked of every name.
var asked = []uint16{dns.TypeSOA, dns.TypeNS, dns.TypeA, dns.TypeAAAA, dns.TypeCNAME, dns.TypeSRV, dns.TypeTXT}

// names are all that the API's objects could give rise to below a node of the tree, whether or not they do: every label that
// an object has, in every place.
func names(t *testing.T, apex, namespace string) []string {
	t.Helper()
	set := map[string]bool{apex: true}
	services, err := cluster.Client.CoreV1().Services(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := cluster.Client.DiscoveryV1().EndpointSlices(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	below := func(ns string) string {
		if namespace == "" {
			return ns + "." + apex
		}
		return apex
	}
	for _, s := range services.Items {
		under := s.Name + "." + below(s.Namespace)
		ports := make([]string, 0, len(s.Spec.Ports))
		for _, p := range s.Spec.Ports {
			ports = append(ports, portLabels(p.Name, p.Protocol)...)
		}
		addUnder(set, under, append(ports, "_tcp", "_udp", "nobody")...)
		set[under] = true
	}
	for _, s := range list.Items {
		in := below(s.Namespace)
		under := s.Labels[discoveryv1.LabelServiceName] + "." + in
		for _, p := range s.Ports {
			addUnder(set, under, portLabels(*p.Name, *p.Protocol)...)
		}
		for _, e := range s.Endpoints {
			addUnder(set, in, endpointLabels(e)...)
			addUnder(set, under, endpointLabels(e)...)
		}
		set[in] = true
	}
	addUnder(set, apex, "ns.dns", "dns", "dns-version", "nobody", "x.nobody")
	return slices.Sorted(maps.Keys(set))
}

func addUnder(set map[string]bool, parent string, labels ...string) {
	for _, l := range labels {
		set[l+"."+parent] = true
	}
}

func portLabels(name string, protocol corev1.Protocol) []string {
	if name == "" {
		return nil
	}
	return []string{"_" + name + "._" + strings.ToLower(string(protocol)), "_" + name}
}

// endpointLabels are all by which an endpoint could be known.
func endpointLabels(e discoveryv1.Endpoint) []string {
	var list []string
	if e.Hostname != nil {
		list = append(list, *e.Hostname)
	}
	if e.TargetRef != nil {
		list = append(list, e.TargetRef.Name)
	}
	for _, a := range e.Addresses {
		list = append(list, strings.NewReplacer(".", "-", ":", "-").Replace(a))
	}
	return list
}

// answers are the records that queries for those names bring, of each name its own only: what a CNAME leads to is the business
// of another query.
func answers(t *testing.T, address string, names []string) rrsets {
	t.Helper()
	got := make(rrsets)
	for _, name := range names {
		for _, qtype := range asked {
			m, err := ask(address, name, qtype)
			if err != nil {
				t.Fatal(err)
			}
			if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
				t.Errorf("%s %s: %s", name, dns.TypeToString[qtype], dns.RcodeToString[m.Rcode])
			}
			for _, rr := range m.Answer {
				if rr.Header().Name == name && rr.Header().Rrtype == qtype {
					got.add(rr)
				}
			}
		}
	}
	return got
}
