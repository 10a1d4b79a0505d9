package bench

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"
)

// writer keeps the reply.
type writer struct {
	test.ResponseWriter
	m *dns.Msg
}

// WriteMsg implements dns.ResponseWriter.
func (w *writer) WriteMsg(m *dns.Msg) error {
	w.m = m
	return nil
}

// question is one for a handler, and how many addresses it answers; -1 is that the query is handed on.
type question struct {
	handler string // as the tables name it
	block   string
	qname   string
	answers int
}

// asked are the questions for one pod of a Service of n.
func asked(n int) []question {
	w := crowds[n]
	pod := w.Pod(n / 2)
	return []question{
		{"headless", "headless", pod + ".default.svc.cluster.local.", 1},
		{"headless-suffix", "headless", pod + ".mgmt.test.", 1},
		{"headless-of-service", "headless", pod + "." + w.Service + ".mgmt.test.", 1},
		{"kubernetes", "kubernetes", pod + "." + w.Service + ".default.svc.cluster.local.", 1},
		{"k8s_external", "k8s_external", pod + "." + w.Service + ".default.ext.test.", 1},
		{"hosts", "hosts", pod + ".hosts.test.", 1},
		{"whoami", "whoami", "whoami.test.", 0},
	}
}

// services are the questions for a Service of n.
func services(n int) []question {
	name := crowds[n].Service
	return []question{
		{"headless-suffix", "headless", name + ".mgmt.test.", n},
		{"kubernetes", "kubernetes", name + ".default.svc.cluster.local.", n},
		{"k8s_external", "k8s_external", name + ".default.ext.test.", n},
	}
}

// misses are questions for what does not exist.
var misses = []question{
	{"headless", "headless", "nobody.default.svc.cluster.local.", -1},
	{"headless-suffix", "headless", "nobody.mgmt.test.", 0},
	{"headless-outside", "headless", "www.example.net.", -1},
	{"kubernetes", "kubernetes", "nobody.default.svc.cluster.local.", 0},
	{"k8s_external", "k8s_external", "nobody.default.ext.test.", 0},
	{"hosts", "hosts", "nobody.hosts.test.", -1},
}

// ask checks the answer.
func (q question) ask() error {
	w := new(writer)
	if _, err := handlers[q.block].ServeDNS(context.Background(), w, query(q.qname)); err != nil {
		return err
	}
	switch {
	case w.m == nil && q.answers < 0:
		return nil
	case w.m == nil || len(w.m.Answer) != q.answers:
		return fmt.Errorf("%s, %s: want %d addresses, got\n%v", q.handler, q.qname, q.answers, w.m)
	}
	return nil
}

func query(name string) *dns.Msg {
	m := new(dns.Msg).SetQuestion(name, dns.TypeA)
	m.Id = 4711
	return m
}

func (q question) measure(b *testing.B) {
	b.Helper()
	b.Run("handler="+q.handler, func(b *testing.B) {
		if err := q.ask(); err != nil {
			b.Fatal(err)
		}
		h, w, r, ctx := handlers[q.block], new(writer), query(q.qname), b.Context()
		b.ReportAllocs()
		for b.Loop() {
			_, _ = h.ServeDNS(ctx, w, r)
		}
	})
}

func BenchmarkPeer(b *testing.B) {
	for _, n := range []int{1, 100, 5000} {
		b.Run(fmt.Sprintf("endpoints=%d", n), func(b *testing.B) {
			for _, q := range asked(n) {
				q.measure(b)
			}
		})
	}
}

func BenchmarkService(b *testing.B) {
	for _, n := range []int{3, 1000} {
		b.Run(fmt.Sprintf("endpoints=%d", n), func(b *testing.B) {
			for _, q := range services(n) {
				q.measure(b)
			}
		})
	}
}

func BenchmarkMiss(b *testing.B) {
	for _, q := range misses {
		q.measure(b)
	}
}

// What is measured answers right. What that may allocate, TestAllocations of the root says.
func TestWhatIsMeasured(t *testing.T) {
	all := misses
	for n := range crowds {
		all = slices.Concat(all, asked(n), services(n))
	}
	for _, q := range all {
		if err := q.ask(); err != nil {
			t.Error(err)
		}
	}
}
