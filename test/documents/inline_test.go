package documents

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// programs are those whose commands readers run.
var programs = []string{"kubectl", "helm", "make", "dig", "curl", "sudo", "go"}

// inSentences says of each command that stands in a sentence, and in no block that a test runs, which test has it in other words, or why none has.
var inSentences = map[string]string{
	"dig +noall +answer":                                        "an option for any name",
	"dig web-1.default.svc.cluster.local":                       "TestReadmeFirstCommands asks it at another port",
	"dig web-1.mgmt.pix.yun.com":                                "TestReadmeCorefiles asks it at another port",
	"go test ./plugin/watch -run '^$' -bench Snapshot":          "BenchmarkSnapshot, which `make bench` runs, too",
	"go test ./plugin/watch -run '^$' -bench Manifests":         "BenchmarkManifests, which `make bench` runs, too",
	"helm rollback coredns --namespace kube-system":             "the chart is not to be had here",
	"helm uninstall coredns --namespace kube-system":            "the chart is not to be had here",
	"kubectl -n kube-system delete configmap coredns-headless":  "TestChangeTheCoreDNSOfKubeSystem",
	"kubectl -n kube-system logs deployment/coredns":            "every test of test/node, when it ends: TestStorm",
	"kubectl -n kube-system rollout history deployment coredns": "prints, and changes nothing",
	"kubectl -n kube-system rollout restart deployment coredns": "TestChangeTheCoreDNSOfKubeSystem",
	"kubectl apply -f deploy/stub/coredns-custom.yaml":          "TestDeployIsTaken",
	"kubectl apply -f deploy/stub/kube-dns.yaml":                "TestDeployIsTaken",
	"kubectl get service kubernetes":                            "prints, and changes nothing",

	"kubectl auth can-i list endpointslices.discovery.k8s.io --as system:serviceaccount:kube-system:coredns -A": "prints, and changes nothing; TestRights has what it says",
	"kubectl get services,endpointslices -A -o yaml":                                                            "TestDump writes what it prints, and examples/cluster.yaml is that",
	"kubectl port-forward": "a name for what TestPortForwardLeadsToExplain does",
}

var function = regexp.MustCompile(`\b(Test|Benchmark)[A-Z]\w+`)

// A command within a sentence is one that a block has which a test runs, or one of inSentences; and what make is told to make is in the Makefile.
func TestEveryCommandInASentenceIsKnown(t *testing.T) {
	run := linesOfBlocks(t)
	found := make(map[string]bool)
	for _, path := range markdown(t) {
		for _, c := range code.FindAllString(fenced.ReplaceAllString(read(t, path), ""), -1) {
			command := strings.Join(strings.Fields(strings.Trim(c, "`")), " ")
			program, arguments, _ := strings.Cut(command, " ")
			switch {
			case arguments == "" || !slices.Contains(programs, program):
			case program == "make":
				wantTargets(t, path, arguments)
			case path != "README.md" && !strings.HasPrefix(path, "docs/") || run[command]:
			case inSentences[command] == "":
				t.Errorf("%s: no test runs %q, and inSentences does not say why", path, command)
			default:
				found[command] = true
			}
		}
	}
	tests := functions(t)
	for command, why := range inSentences {
		if !found[command] {
			t.Errorf("inSentences: no sentence has %q, or a block has it", command)
		}
		for _, name := range function.FindAllString(why, -1) {
			if !tests[name] {
				t.Errorf("inSentences: there is no %s", name)
			}
		}
	}
}
