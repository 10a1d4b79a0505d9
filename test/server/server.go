// Package server runs the CoreDNS binary that was built with the plugin, and asks it with dig.
package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/parts"
)

// Server is a CoreDNS that runs.
type Server struct {
	// Port is where it answers, on 127.0.0.1; ReadyPort and MetricsPort are those of the plugins ready and prometheus.
	Port, ReadyPort, MetricsPort, HealthPort string
	// Part is the CoreDNS that Start starts.
	Part parts.Part
	// Env are variables (NAME=VALUE) in the environment of this CoreDNS alone.
	Env []string

	dir     string
	process *controlplane.Process
	before  int // how often the log said listens before this CoreDNS
}

// New takes ports for a CoreDNS that Start starts.
func New(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{Part: parts.CoreDNS, dir: tb.TempDir()}
	for _, p := range []*string{&s.Port, &s.ReadyPort, &s.MetricsPort, &s.HealthPort} {
		*p = Free(tb)
	}
	return s
}

// Free is a port that is free.
func Free(tb testing.TB) string {
	tb.Helper()
	port, err := controlplane.FreePort()
	if err != nil {
		tb.Fatal(err)
	}
	return port
}

// Start runs CoreDNS with a Corefile in which PORT, READY, METRICS and HEALTH stand for the ports. The test's end
// ends it, and fails if a race was detected or something panicked.
func (s *Server) Start(tb testing.TB, corefile string) {
	tb.Helper()
	bin, err := s.Part.Path()
	if err != nil {
		tb.Fatal(err)
	}
	if s.process != nil {
		s.before = strings.Count(s.Log(tb), listens)
	}
	if s.process, err = controlplane.StartProcessWith(s.Env, s.dir, bin, "-conf", s.write(tb, corefile)); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.process.Stop()
		log := s.Log(tb)
		if tb.Failed() {
			tb.Logf("log of CoreDNS:\n%s", log)
		}
		for _, bad := range []string{"DATA RACE", "panic:", "Recovered from panic"} {
			if strings.Contains(log, bad) {
				tb.Errorf("CoreDNS said %q:\n%s", bad, log)
			}
		}
	})
}

// write writes the Corefile, and returns where it is.
func (s *Server) write(tb testing.TB, corefile string) (path string) {
	tb.Helper()
	path = filepath.Join(s.dir, "Corefile")
	if err := os.WriteFile(path, []byte(s.Fill(corefile)), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// What CoreDNS logs of a reload: it serves the new Corefile, or goes on with the old one.
const (
	Reloaded = "Reloading complete"
	Refused  = "Restart failed"
)

// Reload gives CoreDNS another Corefile, and waits until the log says that the outcome is Reloaded, or Refused.
func (s *Server) Reload(tb testing.TB, corefile, outcome string) {
	tb.Helper()
	s.write(tb, corefile)
	had := strings.Count(s.Log(tb), outcome)
	s.Signal(tb, syscall.SIGUSR1)
	s.Poll(tb, 2*time.Minute, func() error {
		if strings.Count(s.Log(tb), outcome) == had {
			return fmt.Errorf("no %q in the log", outcome)
		}
		return nil
	})
}

// Fill puts the ports into a text.
func (s *Server) Fill(text string) string {
	return strings.NewReplacer("PORT", s.Port, "READY", "127.0.0.1:"+s.ReadyPort, "METRICS", "127.0.0.1:"+s.MetricsPort,
		"HEALTH", "127.0.0.1:"+s.HealthPort).Replace(text)
}

// Dir is where the Corefile and the log are.
func (s *Server) Dir() string { return s.dir }

// PID is CoreDNS's process id.
func (s *Server) PID() int { return s.process.PID() }

// Signal sends CoreDNS a signal.
func (s *Server) Signal(tb testing.TB, sig os.Signal) {
	tb.Helper()
	if err := s.process.Signal(sig); err != nil {
		tb.Fatal(err)
	}
}

// WaitReady waits until the plugin ready says OK, and returns how long that took.
func (s *Server) WaitReady(tb testing.TB) time.Duration {
	tb.Helper()
	begun := time.Now()
	s.Poll(tb, 5*time.Minute, func() error {
		text, err := get("http://127.0.0.1:" + s.ReadyPort + "/ready")
		if err == nil && text != "OK" {
			err = fmt.Errorf("not ready: %s", text)
		}
		if err != nil {
			return err
		}
		return s.Listens(tb) // plugins may be ready a moment before
	})
	return time.Since(begun)
}

// listens is in what CoreDNS prints first when it listens: its version.
const listens = "CoreDNS-"

// Listens reports an error until CoreDNS listens, for TCP and then for UDP, which a connection does not tell.
func (s *Server) Listens(tb testing.TB) error {
	tb.Helper()
	if strings.Count(s.Log(tb), listens) == s.before {
		return errors.New("CoreDNS does not listen yet")
	}
	return nil
}

// Scrape is what the plugin prometheus says, or why it says nothing.
func (s *Server) Scrape() (string, error) {
	return get("http://127.0.0.1:" + s.MetricsPort + "/metrics")
}

// Metrics is what the plugin prometheus says, when it does: a busy machine may take longer than one scrape waits.
func (s *Server) Metrics(tb testing.TB) (text string) {
	tb.Helper()
	s.Poll(tb, time.Minute, func() (err error) {
		text, err = s.Scrape()
		return err
	})
	return text
}

// Log is all that CoreDNS has printed.
func (s *Server) Log(tb testing.TB) string {
	tb.Helper()
	text, err := s.process.Log()
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// Poll calls try until it returns nil.
func (s *Server) Poll(tb testing.TB, limit time.Duration, try func() error) {
	tb.Helper()
	if err := controlplane.Poll(limit, s.process, try); err != nil {
		tb.Fatal(err)
	}
}

func get(url string) (string, error) {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(resp.Body)
	return string(text), errors.Join(err, resp.Body.Close())
}
