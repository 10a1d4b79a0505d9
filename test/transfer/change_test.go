package transfer

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// patience is how long a change may take to show, NOTIFY and a secondary's transfer included.
const patience = 10 * time.Second

// states counts what namespace changing went through. No state comes twice.
var states int

// change brings the Service many into a new state, by one update of one slice: in it all endpoints have other addresses and
// another port, so that whatever was made of two states shows it.
func change(t *testing.T, endpoints int) (state int) {
	t.Helper()
	state, err := changeSlice(t.Context(), endpoints)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func changeSlice(ctx context.Context, endpoints int) (state int, err error) {
	states++
	name, port, protocol := "many", int32(firstPort+states), corev1.ProtocolTCP
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "many-1", Namespace: "changing", Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port, Protocol: &protocol}},
	}
	for i := range endpoints {
		// The addresses of a state move on by one endpoint with the next.
		addr := netip.AddrFrom4([4]byte{10, byte(states >> 8), byte(states), byte((i + states) % endpoints)})
		hostname := "peer-" + strconv.Itoa(i)
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{addr.String()}, Hostname: &hostname})
	}
	client := cluster.Client.DiscoveryV1().EndpointSlices("changing")
	if _, err = client.Update(ctx, slice, metav1.UpdateOptions{}); apierrors.IsNotFound(err) {
		_, err = client.Create(ctx, slice, metav1.CreateOptions{})
	}
	return states, err
}

const firstPort = 1000

// stateOf is the state that a zone shows of namespace changing, which lies at in, or an error if it shows more than one or
// lacks a record.
func stateOf(z *zone, in string, endpoints int) (state int, err error) {
	count := map[string]int{}
	saw := func(kind string, n int) {
		count[kind]++
		if state == 0 {
			state = n
		}
		if n != state && err == nil {
			err = fmt.Errorf("%s with serial %d shows the states %d and %d", z.apex, z.soa.Serial, state, n)
		}
	}
	for k, set := range z.rrsets {
		below, ok := strings.CutSuffix(k.owner, "."+in)
		if !ok || below == "ns.dns" {
			continue
		}
		if strings.HasPrefix(below, "peer-") {
			below = strings.TrimLeft(strings.TrimPrefix(below, "peer-"), "0123456789")
		}
		for _, text := range set {
			data := strings.Fields(text)[4:]
			switch k.qtype {
			case dns.TypeSRV:
				port, _ := strconv.Atoi(data[2]) // a number, as it was made from one
				saw("SRV", port-firstPort)
			case dns.TypeA:
				b := netip.MustParseAddr(data[0]).As4()
				saw(below, int(b[1])<<8|int(b[2]))
			}
		}
	}
	for _, kind := range []string{"SRV", "many", "", ".many"} {
		if count[kind] != endpoints && err == nil {
			err = fmt.Errorf("%s with serial %d, state %d: %d records %q, want %d", z.apex, z.soa.Serial, state, count[kind], kind, endpoints)
		}
	}
	return state, err
}

// shows tells whether a transfer shows a state.
func shows(address, apex string, state, endpoints int) error {
	z, err := axfr(address, apex)
	if err != nil {
		return err
	}
	got, err := stateOf(z, apex, endpoints)
	if err == nil && got != state {
		err = fmt.Errorf("%s with serial %d shows state %d, want %d", apex, z.soa.Serial, got, state)
	}
	return err
}
