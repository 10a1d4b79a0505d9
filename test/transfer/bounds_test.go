package transfer

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/server"
)

const shared = "company.test."

func TestTransferAsAGuest(t *testing.T) {
	with := start(t, settings{options: append([]string{"suffix " + shared + " default.svc.cluster.local", "fallthrough " + shared}, suffixes...)})
	plain := start(t, settings{absent: true})
	t.Run("of the cluster zone", func(t *testing.T) { ofTheClusterZone(t, with, plain) })
	t.Run("of a shared suffix", func(t *testing.T) { ofASharedSuffix(t, with, plain) })
}

// In the cluster zone the plugin is a guest: the zone that is transferred is that of *kubernetes*.
func ofTheClusterZone(t *testing.T, with, plain *server.Server) {
	for _, apex := range []string{"cluster.local.", "10.in-addr.arpa."} {
		theirs, err := receive(new(dns.Msg).SetAxfr(apex), address(plain))
		ours, err2 := receive(new(dns.Msg).SetAxfr(apex), address(with))
		if fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("AXFR of %s: %v without the plugin, %v with it", apex, err, err2)
		}
		if a, b := texts(theirs), texts(ours); !slices.Equal(a, b) || len(a) == 0 && apex == "cluster.local." {
			t.Errorf("AXFR of %s: want\n%s\ngot\n%s", apex, strings.Join(a, "\n"), strings.Join(b, "\n"))
		}
	}
}

// texts are records in an order, less the serials.
func texts(records []dns.RR) []string {
	list := make([]string, 0, len(records))
	for _, rr := range records {
		if soa, ok := rr.(*dns.SOA); ok {
			soa.Serial = 0
		}
		list = append(list, rr.String())
	}
	slices.Sort(list)
	return list
}

// A shared suffix is the company's zone, of which the plugin knows but a part: whoever serves it transfers it.
func ofASharedSuffix(t *testing.T, with, plain *server.Server) {
	q := new(dns.Msg).SetAxfr(shared)
	theirs, err := exchangeTCP(q, address(plain))
	if err != nil {
		t.Fatal(err)
	}
	ours, err := exchangeTCP(q, address(with))
	if err != nil {
		t.Fatal(err)
	}
	if ours.String() != theirs.String() {
		t.Errorf("with the plugin\n%s\nwithout\n%s", ours, theirs)
	}
	if strings.Contains(ours.String(), "nginx."+shared) {
		t.Errorf("the plugin transferred a zone that it shares:\n%s", ours)
	}
}

// Only an apex has a zone, and only those that *transfer* lists get it.
func TestTransferRefused(t *testing.T) {
	anybody := start(t, settings{})
	some := start(t, settings{zones: root, also: "transfer " + service + " {\n        to 127.0.0.9\n    }"})
	for _, tt := range []struct {
		what, name string
		server     *server.Server
	}{
		{"below the apex, a Service", "nginx." + mgmt, anybody},
		{"below the apex, nothing", "nowhere." + mgmt, anybody},
		{"below the apex, a namespace", "default." + root, anybody},
		{"from a client that is not listed", service, some},
		{"of a zone that is not listed", mgmt, some},
	} {
		for _, q := range []*dns.Msg{new(dns.Msg).SetAxfr(tt.name), new(dns.Msg).SetIxfr(tt.name, 1, "ns."+mgmt, "root."+mgmt)} {
			m, err := exchangeTCP(q, address(tt.server))
			if err != nil {
				t.Fatal(err)
			}
			if m.Rcode != dns.RcodeRefused || len(m.Answer) > 0 {
				t.Errorf("%s of %s: want REFUSED, got\n%s", tt.what, tt.name, m)
			}
		}
	}
}

// A zone that is not known yet is not an empty zone: secondaries would serve that.
func TestTransferBeforeTheFirstSync(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	api := make(chan struct{})
	go passOn(listener, api)

	config, err := cluster.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := cluster.WriteKubeconfig(kubeconfig, listener.Addr().String(), config.BearerToken); err != nil {
		t.Fatal(err)
	}
	s := server.New(t)
	sec := startSecondary(t, s)
	c := settings{kubeconfig: kubeconfig, to: []string{sec.address}, options: append(slices.Clone(suffixes), "startup_timeout 100ms")}
	s.Start(t, c.corefile(server.Stub(t)))
	s.WaitReady(t)
	for _, apex := range []string{mgmt, root, service} {
		for _, q := range []*dns.Msg{new(dns.Msg).SetAxfr(apex), new(dns.Msg).SetIxfr(apex, 1, "ns."+apex, "root."+apex)} {
			m, err := exchangeTCP(q, address(s))
			if err != nil {
				t.Fatal(err)
			}
			if m.Rcode != dns.RcodeServerFailure || len(m.Answer) > 0 {
				t.Errorf("%s before the first sync: want SERVFAIL, got\n%s", apex, m)
			}
		}
		if n := len(sec.of(apex)); n > 0 {
			t.Errorf("%s: %d NOTIFYs before the first sync", apex, n)
		}
	}
	close(api)
	for _, apex := range []string{mgmt, root, service} {
		poll(t, 2*patience, func() error {
			_, err := serial(address(s), apex)
			return err
		})
		sec.follow(t, apex)
		if z := mustAXFR(t, address(s), apex); len(z.rrsets) < 5 {
			t.Errorf("%s after the first sync:\n%s", apex, z.rrsets)
		}
	}
}

// passOn lets connections wait until the API server is let in, and passes them on to it then. It ends with the listener.
func passOn(l net.Listener, open <-chan struct{}) {
	for {
		from, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer from.Close()
			<-open
			to, err := net.Dial("tcp", cluster.Address)
			if err != nil {
				return
			}
			defer to.Close()
			go func() {
				_, _ = io.Copy(to, from) // ends as either side closes
				to.Close()
			}()
			_, _ = io.Copy(from, to)
		}()
	}
}
