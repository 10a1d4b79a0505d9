package scale

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientset "k8s.io/client-go/kubernetes"

	"github.com/coredns-headless/headless/test/controlplane"
)

// perSlice is how many endpoints a slice of a Crowd has.
const perSlice = 100

// A group is a part of the cluster that changes together.
type group struct {
	name   string
	slots  []*slot
	crowds []controlplane.Crowd
	turns  atomic.Int64
}

// slot is an EndpointSlice, and the addresses that its pods have got since it was made.
type slot struct {
	crowd controlplane.Crowd
	index int

	mu    sync.Mutex
	moved map[int]netip.Addr // by the pod's number in the Crowd
}

// newGroup spreads endpoints evenly over Services, and Services over namespaces.
func newGroup(name string, endpoints, services, namespaces int, first netip.Addr) *group {
	g := &group{name: name}
	for i := range services {
		w := controlplane.Crowd{
			Namespace: fmt.Sprintf("%s-%d", name, i%namespaces), Service: fmt.Sprintf("app-%d", i), Pods: endpoints / services,
			First: plus(first, i*(endpoints/services)),
		}
		g.crowds = append(g.crowds, w)
		for n := 0; n < w.Pods; n += perSlice {
			g.slots = append(g.slots, &slot{crowd: w, index: n / perSlice, moved: make(map[int]netip.Addr)})
		}
	}
	order := rand.New(rand.NewPCG(1, 2)) // the same in each run
	order.Shuffle(len(g.slots), func(i, j int) { g.slots[i], g.slots[j] = g.slots[j], g.slots[i] })
	return g
}

func plus(a netip.Addr, n int) netip.Addr {
	b := a.As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(n)) // #nosec G115 -- below a million
	return netip.AddrFrom4(b)
}

// endpoints is how many there are.
func (g *group) endpoints() (n int) {
	for _, w := range g.crowds {
		n += w.Pods
	}
	return n
}

// create makes the group's namespaces, Services and slices, several at a time.
func (g *group) create(ctx context.Context, c *controlplane.ControlPlane) error {
	made := make(map[string]bool)
	for _, w := range g.crowds {
		if made[w.Namespace] {
			continue
		}
		made[w.Namespace] = true
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}}
		if _, err := c.Client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create namespace %s: %w", w.Namespace, err)
		}
	}
	const workers = 4
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for n := i; n < len(g.crowds) && errs[i] == nil; n += workers {
				errs[i] = g.crowds[n].Create(ctx, c)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// next is the slice whose turn it is to change, and a pod in it. A pod has its turn again when all others have had
// theirs.
func (g *group) next() (*slot, int) {
	turn := int(g.turns.Add(1) - 1)
	s := g.slots[turn%len(g.slots)]
	return s, s.index*perSlice + turn/len(g.slots)%s.size()
}

// size is the number of its endpoints.
func (s *slot) size() int { return min(perSlice, s.crowd.Pods-s.index*perSlice) }

// addr is the address that a pod has now.
func (s *slot) addr(pod int) netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.moved[pod]; ok {
		return a
	}
	return s.crowd.Addr(pod)
}

// A change gives some pods of a slice new addresses. The slot is locked from its making to the end of send.
type change struct {
	slot *slot
	pod  int        // that is asked for
	addr netip.Addr // its new one
	sent time.Time
	body *discoveryv1.EndpointSlice
}

// fresh counts the addresses given, from 172.16.0.0 on: no pod ever gets one that another had.
var fresh atomic.Int32

func (s *slot) change(pods ...int) *change {
	s.mu.Lock()
	for _, pod := range pods {
		s.moved[pod] = plus(netip.AddrFrom4([4]byte{172, 16, 0, 0}), int(fresh.Add(1)))
	}
	c := &change{slot: s, pod: pods[0], addr: s.moved[pods[0]], body: s.crowd.Slice(s.index)}
	for i := range c.body.Endpoints {
		if a, ok := s.moved[s.index*perSlice+i]; ok {
			c.body.Endpoints[i].Addresses[0] = a.String()
		}
	}
	c.sent = time.Now()
	return c
}

// all are all pods of the slice.
func (s *slot) all() []int {
	list := make([]int, s.size())
	for i := range list {
		list[i] = s.index*perSlice + i
	}
	return list
}

// send updates the slice, whatever its resourceVersion.
func (c *change) send(ctx context.Context, client clientset.Interface) error {
	defer c.slot.mu.Unlock()
	_, err := client.DiscoveryV1().EndpointSlices(c.body.Namespace).Update(ctx, c.body, metav1.UpdateOptions{})
	return err
}

// short is the pod's name that only *headless* has; long the one that *kubernetes* has too.
func (s *slot) short(pod int) string {
	return s.crowd.Pod(pod) + "." + s.crowd.Namespace + ".svc.cluster.local."
}

func (s *slot) long(pod int) string {
	return s.crowd.Pod(pod) + "." + s.crowd.Service + "." + s.crowd.Namespace + ".svc.cluster.local."
}

// newClient makes a fast one: what it costs is taken from what is measured, on few cores.
func newClient(c *controlplane.ControlPlane) (clientset.Interface, error) {
	config, err := c.RESTConfig()
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	config.ContentType = runtime.ContentTypeProtobuf
	return clientset.NewForConfig(config)
}

// quantile is the q-quantile of durations, the largest of those below.
func quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
