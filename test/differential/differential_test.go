package differential

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/server"
)

// trial is one variation of the Corefile at work.
type trial struct {
	variation
	plain, with *server.Server
	model       *model

	mu       sync.Mutex
	owned    int // queries that the plugin answered by right
	unsteady int // queries that kubernetes answers now so, now otherwise
	mistaken int // queries that were not compared, see mistakable
}

// Without the plugin and with it CoreDNS gives the same replies, but for the names that are the plugin's own, which
// are as the model says.
func TestDifferential(t *testing.T) {
	for i, v := range variations {
		t.Run(v.name, func(t *testing.T) { try(t, v, uint64(i)) })
	}
}

func try(t *testing.T, v variation, number uint64) {
	ctx := t.Context()
	g := &generator{Rand: rand.New(rand.NewPCG(*seed, number)), digits: digits(ctx)}
	if err := errors.Join(empty(ctx), g.populate(ctx)); err != nil {
		t.Fatal(err)
	}
	stub := server.Stub(t)
	tr := &trial{variation: v, plain: server.New(t), with: server.New(t)}
	tr.plain.Start(t, v.corefile(stub, false))
	tr.with.Start(t, v.corefile(stub, true))
	tr.plain.WaitReady(t)
	tr.with.WaitReady(t)
	asked := 0
	for round := range *rounds {
		if round > 0 {
			if err := g.change(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := tr.observe(ctx); err != nil {
			t.Fatal(err)
		}
		list := g.questions(tr.model, *queries/len(variations) / *rounds)
		if v.cache && round > 0 { // what *cache* holds of reverse zones was true some time ago, in either CoreDNS some other time
			list = slices.DeleteFunc(list, func(q query) bool { return dns.IsSubDomain("arpa.", dns.CanonicalName(q.name)) })
		}
		asked += len(list)
		d, err := tr.round(ctx, list)
		if err != nil {
			t.Fatal(err)
		}
		if d != nil {
			found := d.String()
			o := tr.shrink(ctx, d)
			t.Fatalf("-seed %d, %s, round %d: %s\nshrunk to\n%s\nbecause of\n%s", *seed, v.name, round, found, d, o)
		}
	}
	t.Logf("%d queries: %d of names that are the plugin's, %d that kubernetes does not always answer the same, %d of a known limitation",
		asked, tr.owned, tr.unsteady, tr.mistaken)
}

// observe waits until both CoreDNS know all there is, and makes the model of it.
func (tr *trial) observe(ctx context.Context) error {
	if err := tr.settle(ctx); err != nil {
		return err
	}
	o, err := list(ctx)
	if err != nil {
		return err
	}
	tr.model = &model{objects: o, variation: tr.variation}
	return tr.settleLeftovers()
}

// settleLeftovers waits until the plugin knows the slices of Services that it watches one by one.
func (tr *trial) settleLeftovers() error {
	p := tr.newPair()
	defer p.close()
	for _, s := range tr.model.services {
		if !tr.model.isLeftover(s.Namespace, s.Name) {
			continue
		}
		names := []string{s.Name + "." + s.Namespace + "." + suffixes[0].name}
		for _, e := range where(tr.model.peers(s.Namespace), func(e endpoint) bool { return e.service == s.Name }) {
			for _, label := range []string{e.pod, e.host} {
				if label != "" {
					names = append(names, label+"."+names[0])
				}
			}
		}
		err := controlplane.Poll(2*time.Minute, nil, func() error {
			for _, name := range names {
				for _, qtype := range addressTypes {
					d, err := tr.check(p, query{name: name, qtype: qtype, qclass: dns.ClassINET})
					if d != nil {
						err = errors.New(d.String())
					}
					if err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// questions are n queries: for names that exist, and for names that are made up.
func (g *generator) questions(m *model, n int) []query {
	names := existing(m.objects)
	var list []query
	for _, i := range g.Perm(len(names)) {
		for _, qtype := range addressTypes {
			list = append(list, query{name: names[i], qtype: qtype, qclass: dns.ClassINET, rd: true})
		}
	}
	list = list[:min(len(list), n/3)]
	for _, name := range names {
		if r, _ := m.guest(query{name: name, qtype: dns.TypeA, qclass: dns.ClassINET}); r != nil {
			for range 12 {
				list = append(list, g.ask(name))
			}
		}
	}
	near := inTree(names)
	for range n / 8 {
		list = append(list, g.suffixed(names, near))
	}
	for len(list) < n {
		list = append(list, g.ask(g.name(names, near)))
	}
	g.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// suffixed is a query for a name below a suffix.
func (g *generator) suffixed(names, near []string) query {
	for {
		s := pick(g, suffixes)
		node := tree
		for _, label := range s.graft {
			node = label + "." + node
		}
		labels, ok := below(node, g.name(names, near))
		if !ok {
			continue
		}
		name := s.name
		for i := len(labels) - 1; i >= 0; i-- {
			name = labels[i] + "." + name
		}
		q := g.ask(name)
		if isTransfer(q.qtype) || q.odd() {
			continue // transfers are tested elsewhere, the rest is the server's
		}
		return q
	}
}

const askers = 8

// round asks all queries, and returns the first one that was found to be answered differently.
func (tr *trial) round(ctx context.Context, list []query) (first *difference, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	todo := make(chan query)
	var wg sync.WaitGroup
	for range askers {
		wg.Go(func() {
			p := tr.newPair()
			defer p.close()
			for q := range todo {
				d, e := tr.check(p, q)
				if d == nil && e == nil {
					continue
				}
				tr.mu.Lock()
				if first == nil {
					first = d
				}
				err = errors.Join(err, e)
				tr.mu.Unlock()
				cancel()
			}
		})
	}
	func() {
		defer close(todo)
		for _, q := range list {
			select {
			case todo <- q:
			case <-ctx.Done():
				return
			}
		}
	}()
	wg.Wait()
	return first, err
}

// pair asks both CoreDNS.
type pair struct{ plain, with *asker }

func (tr *trial) newPair() pair { return pair{newAsker(tr.plain.Port), newAsker(tr.with.Port)} }

func (p pair) close() {
	p.plain.close()
	p.with.close()
}

// difference is a query that is not answered as it should be.
type difference struct {
	query             query
	why               string
	plain, with, want string // replies; plain or want may be none
}

func (d *difference) String() string {
	text := fmt.Sprintf("%s\n%s\nwith the plugin: %s", d.query, d.why, d.with)
	if d.plain != "" {
		text += "without: " + d.plain
	}
	if d.want != "" {
		text += "by the model: " + d.want
	}
	return text
}

// check asks one query, and returns nil if all is well.
func (tr *trial) check(p pair, q query) (*difference, error) {
	for _, s := range suffixes {
		if labels, ok := below(s.name, q.name); ok {
			return tr.checkSuffix(p, q, s.name, s.graft, labels)
		}
	}
	plain, err := p.plain.ask(q)
	if err != nil {
		return nil, err
	}
	with, err := p.with.ask(q)
	if err != nil {
		return nil, err
	}
	want, denied := tr.model.guest(q)
	if want != nil && tr.model.mistakable(q) {
		tr.count(&tr.mistaken)
		return nil, nil //nolint:nilnil // nobody claims that this is well
	}
	if want != nil {
		return tr.checkOwned(q, plain, with, want, denied), nil
	}
	if first := tr.model.waiting(q); first != nil && plain != nil && plain.Rcode == dns.RcodeNameError {
		return tr.checkWaiting(p, q, plain, with, first)
	}
	countdown := tr.cache && (cached(plain) || cached(with))
	d := &difference{query: q, plain: shape(plain, countdown), with: shape(with, countdown)}
	if d.plain == d.with {
		return nil, nil //nolint:nilnil // all is well
	}
	d.why = "not the plugin's, and not the same"
	return tr.steady(p, d, countdown)
}

func (tr *trial) count(n *int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	*n++
}

// cached reports whether a reply is, or has in it, what *cache* holds and counts down the TTL of: all but the cluster
// zone's.
func cached(m *dns.Msg) bool {
	if m == nil || len(m.Question) == 0 {
		return false
	}
	in := func(name string) bool { return dns.IsSubDomain(zone, dns.CanonicalName(name)) }
	return !in(m.Question[0].Name) || slices.ContainsFunc(m.Answer, func(rr dns.RR) bool { return !in(rr.Header().Name) })
}

// steady lets a difference go where the plain CoreDNS itself now says this, now that: a CNAME query for a Service
// with slices of names and of addresses gets what comes first in a map, which of two is the same one seven times in
// eight, and what *cache* holds of a reverse zone was true up to 30 s ago.
func (tr *trial) steady(p pair, d *difference, countdown bool) (*difference, error) {
	for range 200 {
		a, err := p.plain.ask(d.query)
		if err != nil {
			return nil, err
		}
		if plain := shape(a, countdown); plain == d.with && plain != d.plain {
			tr.count(&tr.unsteady)
			return nil, nil //nolint:nilnil // all is well
		}
	}
	return d, nil
}

// checkOwned compares a reply for a name that is the plugin's with the model's, and sees that nobody else had
// answered it.
func (tr *trial) checkOwned(q query, plain, with, want *dns.Msg, denied bool) *difference {
	tr.count(&tr.owned)
	adopt(want, plain)
	d := &difference{query: q, plain: shape(plain, false), with: shape(with, false), want: shape(want, false)}
	nodata := q.qtype == dns.TypeSOA && plain != nil && plain.Rcode == dns.RcodeSuccess && len(plain.Answer) == 0 // kubernetes never denies these
	switch {
	case denied && !nodata && (plain == nil || plain.Rcode != dns.RcodeNameError):
		d.why = "the plugin's, but answered without it"
	case d.with != d.want:
		d.why = "the plugin's, and wrong"
	default:
		return nil
	}
	return d
}

// checkWaiting is checkOwned for a name that the plugin leaves to others for a moment, whenever a watch begins anew.
func (tr *trial) checkWaiting(p pair, q query, plain, with, want *dns.Msg) (*difference, error) {
	for range 200 {
		if shape(with, false) != shape(plain, false) {
			break
		}
		var err error
		if with, err = p.with.ask(q); err != nil {
			return nil, err
		}
	}
	return tr.checkOwned(q, plain, with, want, true), nil
}

// adopt gives a model's reply what the server makes, not the plugin: the OPT.
func adopt(want, of *dns.Msg) {
	if of == nil {
		return
	}
	if o := of.IsEdns0(); o != nil {
		want.Extra = append(want.Extra, o)
	}
}

func (tr *trial) checkSuffix(p pair, q query, suffix string, graft, labels []string) (*difference, error) {
	a := authority{model: tr.model, q: q, r: answer(q), origin: q.name[len(q.name)-len(suffix):], graft: graft}
	countdown := false
	var err error
	a.resolve = func(name string, qtype uint16) *dns.Msg {
		countdown = tr.cache
		m, e := p.plain.ask(query{name: name, qtype: qtype, qclass: dns.ClassINET, rd: true})
		if e != nil || m == nil {
			err, m = fmt.Errorf("no reply for %s: %w", name, e), new(dns.Msg)
		}
		return m
	}
	want := a.answer(labels)
	if err != nil {
		return nil, err
	}
	with, err := p.with.ask(q)
	if err != nil {
		return nil, err
	}
	if q.edns { // else there is none
		adopt(want, with)
	}
	d := &difference{query: q, why: "below a suffix, and wrong", with: shape(with, countdown), want: shape(want, countdown)}
	if d.with == d.want {
		return nil, nil //nolint:nilnil // all is well
	}
	return d, nil
}
