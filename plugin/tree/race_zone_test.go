package tree

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
)

// churn changes everything with two writers, nodes too, while readers read.
func churn(rounds int, readers ...func(tr *Tree)) {
	tr := New()
	services, endpoints := tr.Writer(""), tr.Writer("")
	services.Replace(nil, 1<<32-100) // near RFC 1982's new beginning
	endpoints.Replace(nil, 1)
	var stop atomic.Bool
	var reading, writing sync.WaitGroup
	for _, read := range readers {
		reading.Go(func() {
			for !stop.Load() {
				read(tr)
			}
		})
	}
	web := port("web", "tcp", 80)
	writing.Go(func() {
		for i := range rounds {
			if i == rounds/10 {
				tr.IndexAddresses()
			}
			key := []string{"default/nginx", "default/api", "other/nginx"}[i%3]
			services.Set([]object.Object{
				withPorts(headless(key, 0), web), withPorts(clusterIP(key, 0, "10.96.0.1"), web), headless(key, 0),
				external(key, 0),
			}[i/3%4])
			switch i % 11 {
			case 3:
				services.Delete(object.NewKey(object.KindService, "default", "nginx"), 0)
			case 5: // the namespace goes
				services.Delete(object.NewKey(object.KindService, "other", "nginx"), 0)
			case 9: // everything goes
				services.Replace(nil, 0)
			}
		}
	})
	writing.Go(func() {
		for i := range rounds {
			svc := []string{"nginx", "api"}[i/5%2]
			endpoints.Set(withPorts(sliceOf("default/nginx-1", svc, 0, stateful("web-0", addrOf(i%7)),
				named("web-1", "db", addrOf(i%5)),
				deployed("ws-x", "fd00::1")), web))
			endpoints.Set(withPorts(sliceOf("other/nginx-1", "nginx", 0, stateful("web-0", addrOf(i%3))),
				[]object.Port{web}[:i%2]...))
			switch i % 11 {
			case 5:
				endpoints.Delete(object.NewKey(object.KindEndpointSlice, "other", "nginx-1"), 0)
			case 9:
				endpoints.Replace(nil, 0)
			}
		}
	})
	writing.Wait()
	stop.Store(true)
	reading.Wait()
}

// A reader sees the state of one moment: sorted lists, and only addresses that an endpoint has had.
func TestReadersOfPortsAndHoldersSeeWholeRecords(t *testing.T) {
	had := []netip.Addr{netip.MustParseAddr("fd00::1"), netip.MustParseAddr("10.96.0.1")}
	for i := range 7 {
		had = append(had, netip.MustParseAddr(addrOf(i)))
	}
	check := func(what string, list []Target) {
		for _, target := range list {
			if target.Port != 80 || len(target.Addrs) == 0 ||
				slices.ContainsFunc(target.Addrs, func(a netip.Addr) bool { return !slices.Contains(had, a) }) {
				t.Errorf("%s: a reader saw %v", what, target)
			}
		}
	}
	churn(1000, func(tr *Tree) {
		for _, name := range []string{
			"_web._tcp.nginx.default", "_web._tcp.api.default", "_web._tcp.nginx.other",
			"_tcp.nginx.default", "db.default",
		} {
			check(name, tr.Targets(pathOf(name)))
			tr.Find(pathOf(name), Query{Family: AnyFamily, NotReady: true})
		}
		check("ws-x", tr.GuestTargets(pathOf("ws-x.nginx.default"), true))
		readTheRest(tr)
	}, func(tr *Tree) {
		for _, a := range had {
			for _, h := range tr.Holders(a) {
				if !slices.Contains([]string{"web-0", "web-1", "db", "ws-x"}, h.Label) || h.Namespace != "default" &&
					h.Namespace != "other" {
					t.Errorf("%s: a reader saw %v", a, h)
				}
			}
		}
	})
}

// A secondary that has once seen a higher serial would not transfer a zone with a lower one (RFC 1982).
func TestNoReaderSeesASerialGoBack(t *testing.T) {
	read := func() func(*Tree) {
		last := make(map[string]uint32)
		return func(tr *Tree) {
			for _, name := range []string{
				"", "default", "other", "nginx.default", "api.default", "nginx.other", "unknown", "unknown.default",
			} {
				now := tr.Serial(pathOf(name))
				if was, ok := last[name]; ok && int32(now-was) < 0 {
					t.Errorf("serial of %q goes back from %d to %d", name, was, now)
				}
				last[name] = now
			}
		}
	}
	churn(4000, read(), read())
}

// A transfer has the state of one moment. Writers wait, so that no record in it is older than another.
func TestTransfersAreOfOneMoment(t *testing.T) {
	tr := plant(headless("default/nginx", 1))
	s := tr.Writer("")
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			states := make(map[uint32]string)
			var last uint32
			for !stop.Load() {
				list, serial, _ := tr.Zone(pathOf("default"), false, noStandIns)
				text := ""
				for _, e := range list {
					text = fmt.Sprint(text, e.Labels, e.Answer.Addrs)
				}
				if was, ok := states[serial]; ok && was != text || serial < last {
					t.Errorf("serial %d, after %d, has\n%s\nand\n%s", serial, last, was, text)
					return
				}
				states[serial], last = text, serial
				// the Service, and each peer with and without its label
				if peers := len(list) / 2; peers > 0 && len(list[0].Answer.Addrs) != peers {
					t.Errorf("%d addresses of the Service, %d peers: %s", len(list[0].Answer.Addrs), peers, text)
					return
				}
			}
		})
	}
	for i := range 500 {
		list := make([]object.Endpoint, 2+i%5)
		for j := range list {
			list[j] = stateful(fmt.Sprintf("web-%d", j), addrOf(256*i+j))
		}
		s.Set(sliceOf("default/nginx-1", "nginx", 0, list...))
	}
	stop.Store(true)
	wg.Wait()
}
