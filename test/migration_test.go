package test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/parts"
	"github.com/coredns-headless/headless/test/server"
)

// What people have today, and what they get, answers as the page says, and so does what they have on the way from one
// to the other.
func TestMigration(t *testing.T) {
	t.Parallel()
	list := sections(t, "docs/migration.md")
	if len(list) != 7 || len(list[1].rows) < 10 {
		t.Fatalf("%d sections, %d rows in the first table", len(list), len(list[1].rows))
	}
	for _, part := range list[1:] { // the first is the head of the page
		t.Run(part.title, func(t *testing.T) { part.test(t) })
	}
}

func (s section) test(t *testing.T) {
	dryRun(t, s.manifests)
	fill := s.objects(t)
	var servers, unsynced []*server.Server
	for _, text := range s.corefiles {
		servers = append(servers, s.start(t, fill.Replace(text)))
	}
	for _, row := range s.rows {
		list := servers
		if row.head != "Name" {
			if unsynced == nil {
				unsynced = s.unsynced(t)
			}
			list = unsynced
		}
		if len(row.cells) != len(list)+2 {
			t.Fatalf("%q has %d cells for %d Corefiles", row.cells, len(row.cells), len(list))
		}
		for i, at := range list {
			row.ask(t, at, fill, row.cells[2+i])
		}
	}
	// On the way both stand in the Corefile.
	before := regexp.MustCompile(`(?ms)^    (rewrite|k8s_external) .*?^    }\n`).FindString(s.corefiles[0])
	if before == "" {
		return
	}
	both := strings.Replace(s.corefiles[1], "    headless ", before+"    headless ", 1)
	way := s.start(t, fill.Replace(both))
	for _, row := range s.rows {
		if row.head == "Name" && row.cells[3] == "A" {
			row.ask(t, way, fill, "A")
		}
	}
	name := strings.Trim(s.rows[0].cells[0], "`")
	noGap(t, name, s.corefiles[0], both, s.corefiles[1], both, s.corefiles[0])
}

// noGap has a CoreDNS go from each Corefile to the next while it is asked for a name, which has an address all the
// time.
func noGap(t *testing.T, name string, corefiles ...string) {
	t.Helper()
	at := server.New(t)
	at.Part = parts.CoreDNSStatic // *kubernetes* races when it is reloaded
	for i, text := range corefiles {
		// What is written at the start has to be what is written later but for the plugins: one stub, and the same
		// ports.
		if corefiles[i] = ours(t, text, cluster.Kubeconfig); i > 0 {
			corefiles[i] = forwards.ReplaceAllString(corefiles[i], forwards.FindString(corefiles[0]))
		}
	}
	at.Start(t, corefiles[0])
	at.WaitReady(t)
	stop, ended := make(chan struct{}), make(chan struct{})
	var answered atomic.Int64
	go func() {
		client := dns.Client{Timeout: 2 * time.Second}
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
			}
			r, _, err := client.Exchange(new(dns.Msg).SetQuestion(name+".", dns.TypeA), "127.0.0.1:"+at.Port)
			if err != nil { // lost, as any datagram may be
				continue
			}
			if answered.Add(1); r.Rcode != dns.RcodeSuccess || len(r.Answer) == 0 {
				t.Errorf("%s has no address on the way:\n%s", name, r)
				return
			}
		}
	}()
	for _, text := range corefiles[1:] {
		at.Reload(t, text, server.Reloaded)
		had := answered.Load()
		at.Poll(t, time.Minute, func() error { // the next Corefile comes when this one was seen to answer
			select {
			case <-ended: // which has said why
			default:
				if n := answered.Load(); n < had+20 {
					return fmt.Errorf("%d answers since the Corefile is another", n-had)
				}
			}
			return nil
		})
	}
	close(stop)
	<-ended
}

var forwards = regexp.MustCompile(`forward \. \S+`)

// objects makes what the section needs in the cluster, and says what to put for the names that its text has of it.
func (s section) objects(t *testing.T) *strings.Replacer {
	t.Helper()
	namespace := "default"
	i := slices.IndexFunc(s.manifests, func(text string) bool { return strings.Contains(text, "subdomain:") })
	if i >= 0 {
		namespace = makeNamespace(t, "migration")
		for doc := range strings.SplitSeq(s.manifests[i], "\n---\n") { // kwok knows the node, there is no scheduler
			kubectl(t, strings.Replace(doc, "      subdomain: ws\n", "      subdomain: ws\n      nodeName: node-0\n", 1), "--namespace", namespace, "apply", "-f", "-")
		}
		if err := cluster.WaitReady(t.Context(), namespace, "ws", 2); err != nil {
			t.Fatal(err)
		}
	}
	ws := addresses(t, namespace, "ws")
	pod := slices.Sorted(maps.Keys(ws))[0]
	pairs := []string{"ws-777779bd59-ftn4j", pod, "10-244-0-7", strings.ReplaceAll(ws[pod], ".", "-"), "default", namespace}
	if strings.Contains(s.corefiles[0], "10.244.0.0/16") {
		makePod(t, "default", "loner", "10.244.200.1")
		t.Cleanup(func() {
			kubectl(t, "", "--namespace", "default", "delete", "pod", "loner", "--grace-period=0", "--force")
		})
		octets := strings.Split(addresses(t, "default", "nginx")["web-1"], ".")
		slices.Reverse(octets)
		pairs = append(pairs, "7.0.244.10", strings.Join(octets, "."))
	}
	return strings.NewReplacer(pairs...)
}

// start runs a Corefile of the page and waits until it is ready.
func (s section) start(t *testing.T, text string) *server.Server {
	t.Helper()
	return startCorefile(t, ours(t, text, cluster.Kubeconfig))
}

// unsynced runs the Corefiles where no API server is.
func (s section) unsynced(t *testing.T) (list []*server.Server) {
	t.Helper()
	nobody := unreachable(t)
	for _, text := range s.corefiles {
		at := server.New(t)
		at.Start(t, ours(t, text, nobody))
		at.Poll(t, time.Minute, func() error { return at.Listens(t) }) // it is never ready
		list = append(list, at)
	}
	return list
}

// ask asks for the row's name and checks the answer against a cell.
func (r asked) ask(t *testing.T, s *server.Server, fill *strings.Replacer, cell string) {
	t.Helper()
	how, name, _ := strings.Cut(strings.TrimSuffix(r.cells[0], "`"), "`")
	name = fill.Replace(name)
	if how == "" {
		answers(t, s.Dig(t, name, r.cells[1]), fill.Replace(cell), name)
	} else {
		answers(t, searching(t, s, podSearch(fill.Replace("default")), name), fill.Replace(cell), how+name)
	}
}

// dryRun has the API server check manifests as they stand, in the namespace that kubectl takes by itself.
func dryRun(t *testing.T, manifests []string) {
	t.Helper()
	for _, text := range manifests {
		kubectl(t, text, "apply", "--dry-run=server", "-f", "-")
	}
}

// kubectl runs it with input, and returns what it prints.
func kubectl(t *testing.T, input string, args ...string) string {
	t.Helper()
	bin, err := parts.Kubectl.Path()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, append([]string{"--kubeconfig", cluster.Kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir()) // what it caches of API servers
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %q: %v\n%s", args, err, out)
	}
	return string(out)
}
