// Package observe has Prometheus scrape a CoreDNS that watches a real cluster, and checks what deploy/observe makes
// of that.
package observe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/documents"
	"github.com/coredns-headless/headless/test/parts"
	"github.com/coredns-headless/headless/test/server"
)

var cluster *controlplane.ControlPlane

func TestMain(m *testing.M) {
	controlplane.Main(m, controlplane.Options{}, func(ctx context.Context, c *controlplane.ControlPlane) error {
		cluster = c
		if err := c.Create(ctx, "../testdata/cluster.yaml"); err != nil {
			return err
		}
		return c.WaitReady(ctx, "default", "nginx", 2)
	})
}

func folder() string { return filepath.Join(parts.Root(), "deploy", "observe") }

func start(t *testing.T) *server.Server {
	t.Helper()
	s := server.New(t)
	s.Start(t, `.:PORT {
    bind 127.0.0.1
    errors
    ready READY
    prometheus METRICS
    headless cluster.local {
        kubeconfig `+cluster.Kubeconfig+`
        suffix mgmt.pix.yun.com default.svc.cluster.local
        snapshot `+filepath.Join(t.TempDir(), "snapshot")+`
    }
}`)
	s.WaitReady(t)
	return s
}

// run runs a program of deploy/observe's documents and returns what it prints.
func run(t *testing.T, input, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdin = parts.Root(), strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %v: %v\n%s", program, args, err, out)
	}
	return string(out)
}

// The rules are right, and fire as their tests say.
func TestAlerts(t *testing.T) {
	server.Need(t, "promtool", "prometheus")
	blocks, err := documents.Blocks("docs/observe.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if b.Heading == "Alerts" {
			run(t, "", "sh", "-ec", b.Text)
		}
	}
}

// alerts are the rules' names, and the text of all their expressions.
func alerts(t *testing.T) (names []string, expressions string) {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	unmarshal(t, "alerts.yaml", &rules)
	var b strings.Builder
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			names = append(names, r.Alert)
			b.WriteString(r.Expr + "\n")
			runbook(t, r.Alert, r.Annotations["runbook_url"])
		}
	}
	return names, b.String()
}

// runbook checks that an alert leads to a heading that is there.
func runbook(t *testing.T, alert, at string) {
	t.Helper()
	path, anchor, _ := strings.Cut(at, "#")
	text, err := os.ReadFile(filepath.Join(parts.Root(), path))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if title, ok := strings.CutPrefix(line, "## "); ok && strings.ReplaceAll(strings.ToLower(strings.TrimSpace(title)), " ", "-") == anchor {
			return
		}
	}
	t.Errorf("%s: %s has no heading %q", alert, path, anchor)
}

func unmarshal(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder(), name))
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// Each alert has a test in which it fires, and one in which it does not.
func TestEveryAlertIsTested(t *testing.T) {
	var tests struct {
		Tests []struct {
			AlertRuleTest []struct {
				AlertName string `json:"alertname"`
				ExpAlerts []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		}
	}
	unmarshal(t, "alerts_test.yaml", &tests)
	fires, silent := make(map[string]bool), make(map[string]bool)
	for _, g := range tests.Tests {
		for _, at := range g.AlertRuleTest {
			if len(at.ExpAlerts) > 0 {
				fires[at.AlertName] = true
			} else {
				silent[at.AlertName] = true
			}
		}
	}
	names, _ := alerts(t)
	for _, name := range names {
		if !fires[name] || !silent[name] {
			t.Errorf("%s: fires %t, is silent %t", name, fires[name], silent[name])
		}
	}
}

var metric = regexp.MustCompile(`\bcoredns_headless_\w+`)

// The names, units and help texts are Prometheus's conventions, and all that is alerted on or shown is there.
func TestMetricsFollowConventionsAndAlertsUseThem(t *testing.T) {
	server.Need(t, "promtool", "prometheus")
	s := start(t)
	s.Dig(t, "web-1.mgmt.pix.yun.com")
	var own strings.Builder
	s.Poll(t, time.Minute, func() error { // the snapshot's comes when it is written
		own.Reset()
		for line := range strings.Lines(s.Metrics(t)) {
			if strings.Contains(line, "coredns_headless_") {
				own.WriteString(line)
			}
		}
		if !strings.Contains(own.String(), "\ncoredns_headless_snapshot_timestamp_seconds") {
			return errors.New("no snapshot yet")
		}
		return nil
	})
	if out := run(t, own.String(), "promtool", "check", "metrics"); strings.TrimSpace(out) != "" {
		t.Errorf("promtool check metrics says\n%s", out)
	}
	_, expressions := alerts(t)
	used := []string{expressions}
	for _, p := range dashboard(t).Panels {
		for _, target := range p.Targets {
			used = append(used, target.Expr)
		}
	}
	document, err := os.ReadFile(filepath.Join(parts.Root(), "docs", "reference.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := metric.FindAllString(strings.Join(append(used, string(document)), "\n"), -1)
	slices.Sort(names)
	names = slices.Compact(names)
	for _, name := range names {
		if !strings.Contains(own.String(), "\n"+name+"{") && !strings.Contains(own.String(), "# TYPE "+name+" ") {
			t.Errorf("CoreDNS has no %s", name)
		}
	}
	if len(names) < 10 {
		t.Errorf("only %q are used or documented", names)
	}
}

type grafana struct {
	SchemaVersion int
	Templating    struct {
		List []struct{ Name, Definition string }
	}
	Panels []struct {
		Targets []struct{ Expr string }
	}
}

func dashboard(t *testing.T) (d grafana) {
	t.Helper()
	unmarshal(t, "dashboard.json", &d)
	if len(d.Panels) < 10 || d.SchemaVersion < 36 {
		t.Fatalf("%d panels of schema %d", len(d.Panels), d.SchemaVersion)
	}
	return d
}

// Prometheus scrapes CoreDNS, and every panel of the dashboard shows something.
func TestEveryPanelOfTheDashboardHasData(t *testing.T) {
	server.Need(t, "prometheus", "prometheus")
	s := start(t)
	at := prometheus(t, s.MetricsPort)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	t.Cleanup(func() {
		close(stop)
		wg.Wait()
	})
	wg.Go(func() { // pods that change, one when the other one is back, so that there are latencies
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := replace(fmt.Sprintf("web-%d", n%2)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	d := dashboard(t)
	fill := strings.NewReplacer("$job", ".*", "$instance", ".*", "$source", ".*", "$__rate_interval", "1m")
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			s.Poll(t, time.Minute, func() error {
				if _, err := s.TryDig("web-1.mgmt.pix.yun.com"); err != nil {
					return err
				}
				return hasData(at, fill.Replace(target.Expr))
			})
		}
	}
	if len(d.Templating.List) != 4 {
		t.Errorf("variables %+v", d.Templating.List)
	}
}

// replace deletes a pod, and waits until its StatefulSet has made another one.
func replace(name string) error {
	ctx, pods := context.Background(), cluster.Client.CoreV1().Pods("default")
	was, err := pods.Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		err = pods.Delete(ctx, name, metav1.DeleteOptions{})
	}
	if err != nil {
		return err
	}
	return controlplane.Poll(time.Minute, nil, func() error {
		now, err := pods.Get(ctx, name, metav1.GetOptions{})
		if err == nil && now.UID == was.UID {
			err = fmt.Errorf("%s is there still", name)
		}
		return err
	})
}

// prometheus starts one that scrapes CoreDNS, and returns where it answers. A scrape may take as long as is between
// two.
func prometheus(t *testing.T, port string) (at string) {
	t.Helper()
	dir := t.TempDir()
	config := `global: {scrape_interval: 5s, scrape_timeout: 5s, evaluation_interval: 5s}
rule_files: ["` + filepath.Join(folder(), "alerts.yaml") + `"]
scrape_configs:
- job_name: coredns
  static_configs: [{targets: ["127.0.0.1:` + port + `"]}]
`
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	at = "127.0.0.1:" + server.Free(t)
	p, err := controlplane.StartProcess(dir, "prometheus", "--config.file="+filepath.Join(dir, "prometheus.yaml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stop()
		if log, err := p.Log(); err == nil && t.Failed() {
			t.Logf("log of prometheus:\n%s", log)
		}
	})
	return at
}

// hasData reports an error unless Prometheus answers a query with a number at least.
func hasData(at, query string) error {
	resp, err := http.Get("http://" + at + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var answer struct {
		Status string
		Data   struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Status != "success" {
		return fmt.Errorf("%s: %w: %s", query, err, body)
	}
	for _, r := range answer.Data.Result {
		if r.Value[1] != "NaN" {
			return nil
		}
	}
	return fmt.Errorf("%s: no number in %s", query, body)
}
