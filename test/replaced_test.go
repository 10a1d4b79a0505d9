package test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A pod that was deleted comes back under its name: CoreDNS answers the new one's address, and its metrics have what
// that took since the change that Kubernetes' own controller wrote down. The first list is not timed. No test beside
// this one may need the pods: it is not parallel.
func TestReplacedPod(t *testing.T) {
	s := start(t, suffix, "namespaces default")
	const metric = `coredns_headless_programming_duration_seconds_`
	untimed := regexp.MustCompile(`(?m)^` + metric + `count\{[^}]*\} 0$`)
	if m := s.Metrics(t); !untimed.MatchString(m) {
		t.Errorf("changes were timed before there was any:\n%s", m)
	}
	pods := cluster.Client.CoreV1().Pods("default")
	old, err := pods.Get(t.Context(), "web-1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := pods.Delete(t.Context(), "web-1", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.Poll(t, time.Minute, func() error {
		pod, err := pods.Get(context.Background(), "web-1", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if pod.UID == old.UID || pod.Status.PodIP == "" {
			return errors.New("web-1 has not come back")
		}
		for _, name := range []string{"web-1.mgmt.pix.yun.com", "web-1.default.svc.cluster.local"} {
			if r, err := s.TryDig(name); err != nil || !slices.Equal(r.Addresses(), []string{pod.Status.PodIP}) {
				return fmt.Errorf("%s: want %s, %w\n%s", name, pod.Status.PodIP, err, r.Text)
			}
		}
		if m := s.Metrics(t); untimed.MatchString(m) || !regexp.MustCompile(`(?m)^`+metric+`sum\{[^}]*\} [0-9.e-]*[1-9]`).MatchString(m) {
			return fmt.Errorf("no change is timed:\n%s", m)
		}
		return nil
	})
	if err := cluster.WaitReady(t.Context(), "default", "nginx", 2); err != nil { // as other tests want it
		t.Error(err)
	}
}
