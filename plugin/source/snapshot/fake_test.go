package snapshot

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/source"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// cluster is a cluster, and the sources that watch it as plugin/source/cluster does.
type cluster struct {
	host    string
	objects []held
	away    func(namespace string) bool // its API server does not answer for it
	version uint64
	sources []*source.Source
}

// held is an object, and whether it has the label of headless Services.
type held struct {
	object.Object
	headless bool
}

func gone(string) bool    { return true }
func present(string) bool { return false }

func newCluster() *cluster { return &cluster{host: "http://api.test", version: 100, away: present} }

// filled is a cluster with a Service and slices of both kinds.
func filled() *cluster {
	c := newCluster()
	c.set(service("default", "nginx"))
	c.set(endpointSlice("default", "nginx-x", true, "web-0=10.0.0.1", "web-1=10.0.0.2"))
	c.set(endpointSlice("default", "hand", false, "hand-0=10.0.0.3"))
	return c
}

var whole = map[string]string{
	"default/nginx": "10.0.0.1 10.0.0.2 10.0.0.3", "default/web-0": "10.0.0.1", "default/web-1": "10.0.0.2", "default/hand-0": "10.0.0.3",
}

// service is a headless Service.
func service(namespace, name string) held {
	s := &object.Service{Type: object.Headless}
	if err := s.Restore(namespace, name); err != nil {
		panic(err)
	}
	return held{Object: s}
}

// endpointSlice is a slice of the Service nginx. Each endpoint is pod=address.
func endpointSlice(namespace, name string, headless bool, endpoints ...string) held {
	s := &object.EndpointSlice{Service: "nginx"}
	for _, e := range endpoints {
		pod, addr, _ := strings.Cut(e, "=")
		s.Endpoints = append(s.Endpoints, object.Endpoint{Pod: pod, Addr: netip.MustParseAddr(addr), Ready: true})
	}
	if err := s.Restore(namespace, name); err != nil {
		panic(err)
	}
	return held{Object: s, headless: headless}
}

// watch returns a source that has all that the cluster's API server answers for, once it is started.
func (c *cluster) watch(namespaces ...string) *source.Source {
	s := source.New("test", namespaces)
	s.Server = c.host
	for _, ns := range source.Scopes(namespaces) {
		for _, p := range []source.Part{
			{Kind: object.KindService}, {Kind: object.KindEndpointSlice, Headless: true}, {Kind: object.KindEndpointSlice},
		} {
			p.Namespace, p.Writer = ns, s.Tree().Writer(ns)
			s.Parts = append(s.Parts, p)
		}
	}
	c.sources = append(c.sources, s)
	return s
}

// fill has the sources list all that the API server answers for.
func (c *cluster) fill() {
	for _, s := range c.sources {
		for _, p := range s.Parts {
			if !c.away(p.Namespace) {
				p.Writer.Replace(c.of(p), c.version)
			}
		}
	}
}

// answer fills the sources, and waits until all have taken it.
func (c *cluster) answer() {
	if c.fill(); len(c.sources) > 0 {
		synctest.Wait()
	}
}

// of lists what belongs to a part.
func (c *cluster) of(p source.Part) (list []object.Object) {
	for _, h := range c.objects {
		if k := h.Key(); k.Kind == p.Kind && h.headless == p.Headless && (p.Namespace == "" || p.Namespace == k.Namespace) {
			list = append(list, h.Object)
		}
	}
	return list
}

// set adds an object or changes it, and deletes one of that key.
func (c *cluster) set(h held) {
	c.delete(h.Key())
	c.objects = append(c.objects, h)
	c.answer()
}

func (c *cluster) delete(k object.Key) {
	c.version++
	c.objects = slices.DeleteFunc(c.objects, func(old held) bool { return old.Key() == k })
	c.answer()
}

// setAway changes what the API server answers for.
func (c *cluster) setAway(away func(namespace string) bool) {
	c.away = away
	c.answer()
}

// keep starts a source of c that keeps a snapshot, and returns how to end both.
func keep(t *testing.T, l *Shared, c *cluster, path string, after time.Duration, namespaces ...string) (s *source.Source, end func()) {
	t.Helper()
	s = c.watch(namespaces...)
	s.Start()
	release := l.Acquire(path, after, s)
	c.answer()
	return s, func() {
		release()
		s.Stop()
		c.sources = slices.DeleteFunc(c.sources, func(other *source.Source) bool { return other == s })
	}
}

// bubble runs a subtest in a bubble, where time passes only while everybody waits.
func bubble(t *testing.T, name string, test func(*testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}
