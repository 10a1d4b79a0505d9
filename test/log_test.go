package test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredns-headless/headless/test/server"
)

// logged waits until the log has a line for each of wanted, in any order: a line is written after the reply was, by a
// query's own goroutine.
func logged(t *testing.T, s *server.Server, prefix string, wanted ...string) {
	t.Helper()
	slices.Sort(wanted)
	s.Poll(t, time.Minute, func() error {
		got := regexp.MustCompile(`(?m)\] `+prefix+` .*$`).FindAllString(s.Log(t), -1)
		for i := range got {
			got[i] = strings.TrimPrefix(got[i], "] "+prefix+" ")
		}
		slices.Sort(got)
		if a, b := strings.Join(wanted, "\n"), strings.Join(got, "\n"); a != b {
			return fmt.Errorf("want the log\n%s\ngot\n%s", a, b)
		}
		return nil
	})
}

// wantLog waits until the log has all of these words.
func wantLog(t *testing.T, s *server.Server, wanted ...string) {
	t.Helper()
	s.Poll(t, time.Minute, func() error {
		log := s.Log(t)
		for _, words := range wanted {
			if !strings.Contains(log, words) {
				return fmt.Errorf("the log lacks %q", words)
			}
		}
		return nil
	})
}

// to say: what a client asks for, a million times a minute, is none of the administrator's errors.
func TestLogAndErrors(t *testing.T) {
	t.Parallel()
	nobody := unreachable(t)
	block := func(domain, kubeconfig, timeout string) string {
		return domain + `:PORT cluster.local:PORT {
    bind 127.0.0.1
    errors
    log . "asked {name} {type} {rcode}"
    headless cluster.local {
       kubeconfig ` + kubeconfig + `
       startup_timeout ` + timeout + `
       suffix ` + domain + ` default.svc.cluster.local
    }
    kubernetes cluster.local {
       kubeconfig KUBECONFIG
    }
}
`
	}
	s := runCorefile(t, strings.Replace(block("synced.example.com", "KUBECONFIG", "1m"), "errors", "errors\n ready READY", 1)+
		strings.Replace(block("never.example.com", nobody, "1s"), " cluster.local:PORT", "", 1))
	var wanted []string
	for _, c := range []struct{ name, qtype, rcode string }{
		{"web-0.synced.example.com.", "A", "NOERROR"},
		{"web-0.synced.example.com.", "AAAA", "NOERROR"},
		{"web-9.synced.example.com.", "A", "NXDOMAIN"},
		{"a.b.c.d.synced.example.com.", "A", "NXDOMAIN"},
		{"synced.example.com.", "SOA", "NOERROR"},
		{"web-0.default.svc.cluster.local.", "A", "NOERROR"},
		{"web-0.default.svc.cluster.local.", "TXT", "NOERROR"},
		{"web-9.default.svc.cluster.local.", "A", "NXDOMAIN"},
		{"web-0.never.example.com.", "A", "SERVFAIL"},
		{"never.example.com.", "SOA", "SERVFAIL"},
		{"x.y.never.example.com.", "TXT", "SERVFAIL"},
	} {
		if r := s.Dig(t, c.name, c.qtype); r.Status != c.rcode {
			t.Errorf("%s %s: want %s\n%s", c.name, c.qtype, c.rcode, r.Text)
		}
		wanted = append(wanted, strings.Join([]string{c.name, c.qtype, c.rcode}, " "))
	}
	logged(t, s, "asked", wanted...)
	for line := range strings.Lines(s.Log(t)) {
		if strings.Contains(line, "[ERROR]") || strings.Contains(line, "plugin/errors") {
			t.Errorf("an error for what is none: %s", line)
		}
	}
}
