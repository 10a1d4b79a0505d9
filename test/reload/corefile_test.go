package reload

import (
	"strconv"
	"strings"

	"github.com/coredns-headless/headless/test/ask"
	"github.com/coredns-headless/headless/test/server"
)

// stays is a suffix that all Corefiles have; comes are those that come and go.
const stays = "stays.test"

var comes = []string{"red.test", "green.test", "blue.test"}

// A generation is one Corefile.
type generation struct {
	ttl      int
	suffixes []string // of comes
	line     string   // one more of the stanza
	block    string   // one more server block
	another  bool     // the watch is another: its client has another account
	outcome  string
}

// of says what the n-th reload brings: of ten Corefiles, six are right, two wrong, and two fail when all plugins have
// started, since somebody else has the port taken.
func of(n int, taken string) generation {
	g := generation{ttl: 1 + n%60, outcome: server.Reloaded}
	for i, suffix := range comes {
		if n>>i&1 == 1 {
			g.suffixes = append(g.suffixes, suffix)
		}
	}
	late := ".:" + taken + " {\n    bind 127.0.0.1\n    whoami\n}\n"
	switch n % 10 {
	case 2:
		g.outcome, g.line = server.Refused, "suffix wrong.test default.svc.cluster.example"
	case 3:
		g.line = "snapshot crowd.yaml"
	case 4:
		g.outcome, g.block, g.line = server.Refused, late, "snapshot crowd.yaml"
	case 5:
		g.block = "block.test:PORT {\n    bind 127.0.0.1\n    STANZA\n    whoami\n}\n" // shares the watch
	case 6:
		g.outcome, g.line = server.Refused, "ttl 9000"
	case 7:
		g.outcome, g.block, g.another = server.Refused, late, true // a watch of its own, which must end
	case 8:
		g.line = "not_ready"
	}
	return g
}

// corefile has *headless*, or is what is left without it. The others in it leave nothing behind when a reload fails,
// as *forward* and
func (g generation) corefile(headless bool) string {
	stanza, block := "", ""
	switch {
	case headless:
		lines := []string{"ttl " + strconv.Itoa(g.ttl), g.line}
		for _, suffix := range append([]string{stays}, g.suffixes...) {
			lines = append(lines, "suffix "+suffix+" "+crowd.Namespace+".svc.cluster.local")
		}
		stanza, block = g.stanza(lines...), g.stanza("suffix block.test "+crowd.Namespace+".svc.cluster.local")
	case g.outcome == server.Refused && g.block == "":
		stanza = "wrong"
	}
	return `.:PORT {
    bind 127.0.0.1
    errors
    ready READY
    prometheus METRICS
    template IN A static.test {
        answer "{{ .Name }} 60 IN A 192.0.2.1"
    }
    ` + stanza + `
    whoami
}
` + strings.Replace(g.block, "STANZA", block, 1)
}

func (g generation) stanza(lines ...string) string {
	account := watcher
	if g.another {
		account = other
	}
	return "headless cluster.local {\n        kubeconfig " + account.kubeconfig + "\n        namespaces " + crowd.Namespace +
		"\n        startup_timeout 1m\n        " + strings.Join(lines, "\n        ") + "\n    }"
}

// questions are asked all the time: peers, and a name that another plugin has. Without *headless* that plugin has all.
func questions(headless bool) []ask.Question {
	var list []ask.Question
	add := func(kind, zone string, pods int, also ...[]string) {
		for n := range pods {
			pod := n * (crowd.Pods / pods)
			sets := append([][]string{{crowd.Addr(pod).String()}}, also...)
			q := ask.Question{Kind: kind, Name: crowd.Pod(pod) + "." + zone, Judge: ask.OneOf(func() [][]string { return sets })}
			if !headless {
				q.Name, q.Judge = crowd.Pod(pod)+".static.test", ask.Addresses("192.0.2.1")
			}
			list = append(list, q)
		}
	}
	add("peer", crowd.Namespace+".svc.cluster.local", 20)
	add("stays", stays, 10)
	for _, suffix := range comes {
		add("comes", suffix, 3, nil) // no address from *whoami*
	}
	return append(list, ask.Question{Kind: "bystander", Name: "www.static.test", Judge: ask.Addresses("192.0.2.1")})
}
