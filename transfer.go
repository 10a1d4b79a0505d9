package headless

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/coredns/coredns/plugin/transfer"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/reply"
	"github.com/coredns-headless/headless/plugin/tree"
)

var errNotSynced = errors.New("not synced: nobody can say yet what the zone has")

// Transfer implements the interface of *transfer* for suffixes that are not shared. Whoever has the serial of now, or a later one
// (RFC 1982), gets the SOA alone; others get the whole zone, as RFC 1995 section 4 lets a server do.
func (h *Headless) Transfer(zone string, serial uint32) (<-chan []dns.RR, error) {
	i := slices.IndexFunc(h.origins, func(o *origin) bool { return o.zone == zone && o.authority() })
	if i < 0 {
		return nil, transfer.ErrNotAuthoritative
	}
	o := h.origins[i]
	graft := o.node()
	if !o.synced(&graft) {
		return nil, errNotSynced
	}
	if now := o.serial(); serial != 0 && int32(serial-now) >= 0 { // #nosec G115 -- RFC 1982 section 3.2
		ch := make(chan []dns.RR, 1)
		ch <- []dns.RR{o.soaAt(o.zone, now)}
		close(ch)
		return ch, nil
	}
	ch := make(chan []dns.RR)
	entries, now, root := o.stanza.tree.Zone(&graft, o.stanza.NotReady, o.standIns)
	if o.wide.Load() {
		now = root
	}
	go func() { // *transfer* takes all there is, whatever happens to its client
		soa := o.soaAt(o.zone, now)
		ch <- append([]dns.RR{soa}, append(o.nsRecords(o.zone), o.glueRecords(o.zone)...)...)
		if len(o.graft) == 0 {
			ch <- []dns.RR{reply.TXT("dns-version."+o.zone, o.stanza.TTL, dnsVersion)}
		}
		for _, below := range h.cuts(o) {
			ch <- append(below.nsRecords(below.zone), below.glueRecords(below.zone, o.inside...)...)
		}
		for _, e := range entries {
			if rrs := h.records(o, e); len(rrs) > 0 {
				ch <- rrs
			}
		}
		ch <- []dns.RR{soa}
		close(ch)
	}()
	return ch, nil
}

// cuts are the suffixes next below o, which are zones of their own.
func (h *Headless) cuts(o *origin) []*origin {
	var list []*origin
	for _, below := range h.origins {
		if _, ok := below.name.Below(&o.name); ok && below != o && below.authority() && h.parent(below) == o {
			list = append(list, below)
		}
	}
	return list
}

// parent is the origin that o's name would lie in without o.
func (h *Headless) parent(o *origin) *origin {
	for _, above := range h.origins { // most labels first
		if _, ok := o.name.Below(&above.name); ok && above != o {
			return above
		}
	}
	return nil
}

// records are what answers at a name of the tree have. Names that other origins have, and those of name servers, are left out.
func (h *Headless) records(o *origin, e tree.Entry) []dns.RR {
	name, ok := dnsname.Join(o.zone, e.Labels...)
	if !ok {
		return nil
	}
	var n dnsname.Name
	n.Parse(name)
	if at, _ := h.origin(&n); at != o || o.nameserver(&n) != nil {
		return nil
	}
	var rrs []dns.RR
	for _, a := range e.Answer.Addrs {
		rrs = append(rrs, reply.Address(name, o.stanza.TTL, a))
	}
	if targets := e.Targets(); len(targets) > 0 {
		q := new(dns.Msg).SetQuestion(name, dns.TypeSRV)
		rrs = append(rrs, reply.Services(q, o.stanza.TTL, targets, targetName(name)).Answer...)
	}
	if e.Answer.Status == tree.Alias && len(e.Labels) > 0 {
		if at := o.place(e.Answer.External, o.zone); !at.hidden {
			rrs = append(rrs, reply.CNAME(name, o.stanza.TTL, at.name))
		}
	}
	return rrs
}

// standIns are the addresses that stand for an alias where a CNAME record would tell a name of the cluster zone. From then on the
// zone has records that change with other parts of the cluster. What only an upstream knows is asked when a query does.
func (o *origin) standIns(target string) (addrs []netip.Addr) {
	at := o.place(target, o.zone)
	if !at.hidden {
		return nil
	}
	o.wide.Store(true)
	for range maxChain {
		if !at.known {
			break
		}
		a := o.stanza.tree.Find(&at.path, tree.Query{Family: tree.AnyFamily, NotReady: o.stanza.NotReady})
		if a.Status != tree.Alias {
			return a.Addrs
		}
		at = o.place(a.External, o.zone)
	}
	return nil
}

// notify starts to tell secondaries of changes.
func (h *Headless) notify() {
	for _, o := range h.origins {
		if o.authority() {
			go o.notify(h.generation.ctx, h.tell)
		}
	}
}

// notifyEvery gathers changes: a zone's secondaries hear of it at most that often.
const notifyEvery = time.Second

// notify tells the secondaries of a suffix of each change (RFC 1996), from the first sync on, until ctx is done.
func (o *origin) notify(ctx context.Context, send func(zone string) error) {
	graft := o.node()
	t := time.NewTicker(notifyEvery)
	defer t.Stop()
	var told uint32
	first, failed := true, false
	for {
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		if ctx.Err() != nil { // both may be
			return
		}
		now := o.serial()
		if !o.synced(&graft) || now == told && !first {
			continue
		}
		told, first = now, false
		err := send(o.zone)
		t.Reset(notifyEvery) // a tick that came late would else be followed by one that comes too soon
		if err != nil && !failed {
			log.Warningf("NOTIFY for %s failed; further failures are not logged until one succeeds: %v", o.zone, err)
		}
		failed = err != nil
	}
}
