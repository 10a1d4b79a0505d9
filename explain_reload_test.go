package headless

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/coredns/caddy"
)

// Reloads keep the page, whether they succeed or fail, and the end closes it.
func TestExplainOutlivesReloads(t *testing.T) {
	at := freeAddress(t)
	text := block(".", fmt.Sprintf("headless cluster.local {\nmanifests %s\nexplain %s\n}", manifest(t, cluster), at))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	open := func(want bool) {
		t.Helper()
		resp, err := client.Get("http://" + at + "/?name=web-0.default.svc.cluster.local")
		if err == nil {
			resp.Body.Close()
		}
		if got := err == nil && resp.StatusCode == http.StatusOK; got != want {
			t.Errorf("open %t, want %t: %v", got, want, err)
		}
	}
	i := run(t, text)
	open(true)
	i = reload(t, i, text)
	open(true)
	failToReload(t, i, strings.Replace(text, "explain", "explains", 1))
	open(true)
	failToReload(t, i, strings.Replace(text, "\n}\n", "\n}\nerratic\n", 1))
	open(true)
	i = reload(t, i, strings.Replace(text, "explain "+at, "", 1))
	open(false)
	i = reload(t, i, text)
	open(true)
	stop(t, i)
	open(false)
}

// freeAddress is a port that nobody listens on, of an address of this process's own at which nothing else lets the
// kernel choose one.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", loopback(64)+":0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

func TestAnAddressThatIsTakenIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", home+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	text := block(".", fmt.Sprintf("headless cluster.local {\nmanifests %s\nexplain %s\n}", manifest(t, cluster), l.Addr()))
	_, err = caddy.Start(corefile(text))
	if err == nil || !strings.Contains(err.Error(), "Corefile:5") || !strings.Contains(err.Error(), "address already in use") {
		t.Error(err)
	}
	closeDead()
}
