package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/parts"
)

// coreDNS is one process in which every contender has a server block with a port of its own. So all have the same
// heap, which tells how often garbage is collected, and those that are not measured wait.
type coreDNS struct {
	setting string
	process *controlplane.Process
	ports   map[string]string // by contender
	client  *tls.Config       // trusts it; nil without TLS
}

func (m *measuring) startCoreDNS(setting string) (*coreDNS, error) {
	s := &coreDNS{setting: setting, ports: make(map[string]string)}
	dir, err := os.MkdirTemp(m.dir, "coredns-")
	if err != nil {
		return nil, err
	}
	scheme, head := "", "    bind 127.0.0.1\n"
	switch setting {
	case Cache:
		head += cacheBlock
	case DoT:
		cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		if s.client, err = writeCertificate(cert, key); err != nil {
			return nil, err
		}
		scheme = "tls://"
		head += "    tls " + cert + " " + key + "\n"
	}
	var corefile strings.Builder
	for _, c := range m.contenders() {
		port, err := controlplane.FreePort()
		if err != nil {
			return nil, err
		}
		s.ports[c.name] = port
		block := strings.NewReplacer("KUBECONFIG", m.kubeconfig, "HOSTS", m.hosts()).Replace(c.block)
		fmt.Fprintf(&corefile, "%s.:%s {\n%s%s}\n", scheme, port, head, block)
	}
	path := filepath.Join(dir, "Corefile")
	if err := os.WriteFile(path, []byte(corefile.String()), 0o600); err != nil {
		return nil, err
	}
	bin, err := parts.CoreDNSStatic.Path()
	if err != nil {
		return nil, err
	}
	s.process, err = controlplane.StartProcess(dir, bin, "-conf", path)
	return s, err
}

// startLimit is how long CoreDNS may take to come up and to sync.
const startLimit = time.Minute

// checkAll asks a contender for every name once: it must have the pod's address. That fills *cache*, too.
func (s *coreDNS) checkAll(ctx context.Context, c contender, w controlplane.Crowd) error {
	pods := c.pods(w)
	err := controlplane.Poll(startLimit, s.process, func() error {
		right, err := s.check(ctx, c, w, pods)
		// The first one is not answered until it has synced, and a busy machine loses a query now and then.
		pods = pods[right:]
		if ctx.Err() != nil {
			err = nil
		}
		return err
	})
	return errors.Join(err, ctx.Err())
}

// check asks for pods, one after the other, and returns how many were answered rightly.
func (s *coreDNS) check(ctx context.Context, c contender, w controlplane.Crowd, pods []int) (right int, err error) {
	client := dns.Client{Net: map[string]string{TCP: "tcp", DoT: "tcp-tls"}[s.setting], TLSConfig: s.client, Timeout: 2 * time.Second}
	conn, err := client.DialContext(ctx, "127.0.0.1:"+s.ports[c.name])
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	for i, n := range pods {
		if ctx.Err() != nil {
			return i, ctx.Err()
		}
		q := new(dns.Msg).SetQuestion(c.qname(w, n), dns.TypeA)
		r, _, err := client.ExchangeWithConn(q, conn)
		if err != nil {
			return i, fmt.Errorf("ask for %s: %w", q.Question[0].Name, err)
		}
		want := w.Addr(n).String()
		if c.blank {
			want = ""
		}
		if err := has(r, q.Question[0].Name, want); err != nil {
			return i, fmt.Errorf("%w\n%s", err, r)
		}
	}
	return len(pods), nil
}

// has checks that a reply holds this address and no other record, or none if it is empty.
func has(r *dns.Msg, qname, addr string) error {
	switch {
	case r.Rcode != dns.RcodeSuccess || r.Truncated:
		return errors.New("no address")
	case addr == "" && len(r.Answer) == 0:
		return nil
	case len(r.Answer) != 1:
		return fmt.Errorf("%d records of %s", len(r.Answer), qname)
	}
	if a, ok := r.Answer[0].(*dns.A); !ok || a.Hdr.Name != qname || a.A.String() != addr {
		return fmt.Errorf("want %s A %s", qname, addr)
	}
	return nil
}
