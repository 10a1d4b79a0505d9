package differential

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/controlplane"
)

const sentinels = "differential-sentinels" // a namespace, and a headless Service in it

// mark numbers the sentinels of all trials.
var mark int

// settle waits until both CoreDNS have seen all that was written so far. A watch tells in order: each of them, the
// two of kubernetes and the three of headless, has a sentinel that was written last.
func (t *trial) settle(ctx context.Context) error {
	mark++
	if err := writeSentinels(ctx); err != nil {
		return fmt.Errorf("write the sentinels: %w", err)
	}
	service, labelled, foreign := fmt.Sprintf("mark-%d", mark), fmt.Sprintf("labelled-%d", mark), fmt.Sprintf("foreign-%d", mark)
	in := "." + sentinels + "." + tree
	for _, s := range []struct {
		port, name string
	}{
		{t.plain.Port, service + in},
		{t.plain.Port, labelled + "." + sentinels + in},
		{t.plain.Port, foreign + "." + sentinels + in},
		{t.with.Port, service + in},
		{t.with.Port, labelled + "." + sentinels + in},
		{t.with.Port, foreign + "." + sentinels + in},
		// Only headless has these.
		{t.with.Port, service + "." + sentinels + "." + suffixes[0].name},
		{t.with.Port, labelled + in},
		{t.with.Port, foreign + in},
	} {
		if err := visible(s.port, s.name); err != nil {
			return err
		}
	}
	return nil
}

// visible waits until a name has an address.
func visible(port, name string) error {
	a := newAsker(port)
	defer a.close()
	return controlplane.Poll(2*time.Minute, nil, func() error {
		r, err := a.ask(query{name: name, qtype: dns.TypeA, qclass: dns.ClassINET})
		if err == nil && (r == nil || len(r.Answer) == 0) {
			err = fmt.Errorf("sentinel %s does not show: %v", name, r)
		}
		return err
	})
}

func writeSentinels(ctx context.Context) error {
	services := cluster.Client.CoreV1().Services(sentinels)
	if mark == 1 {
		if err := createNamespace(ctx, sentinels); err != nil {
			return err
		}
		s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: sentinels}, Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone}}
		if _, err := services.Create(ctx, s, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	was := fmt.Sprintf("mark-%d", mark-1)
	if err := services.Delete(ctx, was, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	for _, kind := range []string{"labelled", "foreign"} {
		if err := writeSentinelSlice(ctx, kind); err != nil {
			return err
		}
	}
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("mark-%d", mark)}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 1}}}}
	_, err := services.Create(ctx, s, metav1.CreateOptions{})
	return err
}

func writeSentinelSlice(ctx context.Context, kind string) error {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: kind, Labels: map[string]string{discoveryv1.LabelServiceName: sentinels}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.9.9.9"}, Hostname: new(fmt.Sprintf("%s-%d", kind, mark))}},
	}
	if kind == "labelled" {
		s.Labels[corev1.IsHeadlessService] = ""
	}
	client := cluster.Client.DiscoveryV1().EndpointSlices(sentinels)
	_, err := client.Update(ctx, s, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		_, err = client.Create(ctx, s, metav1.CreateOptions{})
	}
	return err
}
