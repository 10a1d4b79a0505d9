package headless

import (
	"context"
	"errors"
	"time"

	"github.com/coredns/coredns/plugin/transfer"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/zone"
)

// Transfer implements the interface of *transfer* for suffixes that are not shared.
func (h *Headless) Transfer(origin string, serial uint32) (<-chan []dns.RR, error) {
	records, err := h.zones.Transfer(origin, serial)
	if errors.Is(err, zone.ErrNotAuthoritative) {
		return nil, transfer.ErrNotAuthoritative
	}
	if err != nil {
		return nil, err
	}
	ch := make(chan []dns.RR)
	go func() { // *transfer* takes all there is, whatever happens to its client
		for rrs := range records {
			ch <- rrs
		}
		close(ch)
	}()
	return ch, nil
}

// notify starts to send the secondaries of all suffixes a NOTIFY of each change.
func (h *Headless) notify(send func(zone string) error) {
	for _, o := range h.zones.Origins() {
		if o.Authority() {
			go notify(h.generation.ctx, o, send)
		}
	}
}

// notifyEvery gathers changes: a zone's secondaries hear of it at most that often.
const notifyEvery = time.Second

// notify sends the secondaries of a suffix a NOTIFY (RFC 1996) of each change, from the first sync on, until ctx is
// done.
func notify(ctx context.Context, o *zone.Origin, send func(zone string) error) {
	t := time.NewTicker(notifyEvery)
	defer t.Stop()
	var sent uint32
	first, failed := true, false
	for {
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		if ctx.Err() != nil { // both may be
			return
		}
		now := o.Serial()
		if !o.Synced() || now == sent && !first {
			continue
		}
		sent, first = now, false
		err := send(o.Name())
		t.Reset(notifyEvery) // a tick that came late would else be followed by one that comes too soon
		if err != nil && !failed {
			log.Warningf("NOTIFY for %s failed; further failures are not logged until one succeeds: %v", o.Name(), err)
		}
		failed = err != nil
	}
}
