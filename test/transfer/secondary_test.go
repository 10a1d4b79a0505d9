package transfer

import (
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/server"
)

// secondary is a name server that takes NOTIFYs, and does as RFC 1996 section 3.11 says: it asks for the serial.
type secondary struct {
	address, primary string

	mu       sync.Mutex
	notified map[string][]notify // by zone
}

type notify struct {
	at     time.Time
	id     uint16
	serial uint32
	err    error
}

func startSecondary(t *testing.T, primary *server.Server) *secondary {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:"+freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	s := &secondary{address: conn.LocalAddr().String(), primary: address(primary), notified: make(map[string][]notify)}
	started := make(chan struct{})
	listener := &dns.Server{PacketConn: conn, Handler: s, NotifyStartedFunc: func() { close(started) }}
	go func() { _ = listener.ActivateAndServe() }() // ends with Shutdown
	<-started
	t.Cleanup(func() { _ = listener.Shutdown() })
	return s
}

// ServeDNS implements dns.Handler.
func (s *secondary) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	m := new(dns.Msg).SetReply(r)
	m.Authoritative = true
	if r.Opcode != dns.OpcodeNotify {
		_ = w.WriteMsg(m.SetRcode(r, dns.RcodeNotImplemented))
		return
	}
	zone := r.Question[0].Name
	i := s.arrives(zone, r.Id)
	_ = w.WriteMsg(m)
	got, err := serial(s.primary, zone)
	if !r.Authoritative || r.Question[0].Qtype != dns.TypeSOA {
		err = errors.New("not of the form of RFC 1996 section 3: " + r.String())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := &s.notified[zone][i]; n.err != nil || err == nil && newer(got, n.serial) {
		n.serial, n.err = got, err
	}
}

// arrives takes down a NOTIFY, and returns where. It comes before the reply, from which on the primary may send the next. A message
// that is sent again, as *transfer* does after 2 s without a reply, is none of its own.
func (s *secondary) arrives(zone string, id uint16) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.notified[zone]
	if len(list) == 0 || list[len(list)-1].id != id {
		list = append(list, notify{at: time.Now(), id: id, err: errors.New("the serial is being asked for")})
		s.notified[zone] = list
	}
	return len(list) - 1
}

// of are the NOTIFYs of a zone so far.
func (s *secondary) of(zone string) []notify {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.notified[zone])
}

// follow waits until a NOTIFY has brought the secondary to the serial that the zone has now, and returns how many there were.
func (s *secondary) follow(t *testing.T, zone string) int {
	t.Helper()
	want := mustSerial(t, s.primary, zone)
	count := 0
	poll(t, patience, func() error {
		list := s.of(zone)
		count = len(list)
		if count == 0 {
			return errors.New("no NOTIFY of " + zone)
		}
		if last := list[count-1]; last.err != nil || newer(want, last.serial) {
			return errors.Join(last.err, errors.New("the last NOTIFY of "+zone+" came before the last change"))
		}
		return nil
	})
	return count
}
