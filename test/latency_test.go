package test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/server"
)

// Kubernetes' own controller says when a pod changed. The first list is not timed, a replaced pod is.
func TestProgrammingLatencyOfAReplacedPod(t *testing.T) {
	s := server.New(t)
	s.Start(t, ".:PORT {\n bind 127.0.0.1\n ready READY\n prometheus METRICS\n headless cluster.local {\n  kubeconfig "+cluster.Kubeconfig+"\n }\n}\n")
	s.WaitReady(t)
	if n, _ := programmed(t, s); n != 0 {
		t.Errorf("%d changes before there was any", n)
	}
	if err := cluster.Client.CoreV1().Pods("default").Delete(context.Background(), "web-0", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.Poll(t, time.Minute, func() error {
		if n, sum := programmed(t, s); n == 0 || sum <= 0 || sum > 60*float64(n) {
			return fmt.Errorf("%d changes took %v s", n, sum)
		}
		return nil
	})
	if err := cluster.WaitReady(context.Background(), "default", "nginx", 2); err != nil { // as other tests want it
		t.Error(err)
	}
}

func programmed(t *testing.T, s *server.Server) (count int, sum float64) {
	t.Helper()
	m := regexp.MustCompile(`(?m)^coredns_headless_programming_duration_seconds_sum\{source="[^"]*"\} (\S+)\ncoredns_headless_programming_duration_seconds_count\{[^}]*\} (\d+)$`).FindStringSubmatch(s.Metrics(t))
	if m == nil {
		t.Fatal("no such metric")
	}
	count, err := strconv.Atoi(m[2])
	if err != nil {
		t.Fatal(err)
	}
	sum, err = strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return count, sum
}
