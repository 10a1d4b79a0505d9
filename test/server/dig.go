package server

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// Reply is what dig printed.
type Reply struct {
	Status string   // the rcode, such as NOERROR
	Flags  []string // header bits, such as qr and aa
	// Answer, Authority and Additional are records with single blanks, sorted.
	Answer, Authority, Additional []string
	Text                          string
}

// Need skips the test where a program that it uses as a client is missing; in CI that is a failure.
func Need(tb testing.TB, program, debianPackage string) {
	tb.Helper()
	if _, err := exec.LookPath(program); err != nil {
		Missing(tb, fmt.Sprintf("%s is not installed (Debian package %s)", program, debianPackage))
	}
}

// Missing skips the test for a reason that in CI is a failure.
func Missing(tb testing.TB, reason string) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatal(reason)
	}
	tb.Skip("skipped outside CI: " + reason)
}

// All skips a test that only make test-all runs.
func All(tb testing.TB) {
	tb.Helper()
	if os.Getenv("HEADLESS_ALL") == "" {
		tb.Skip("make test-all runs it")
	}
}

// Dig asks the server: args are dig's, a name and maybe a type and options.
func (s *Server) Dig(tb testing.TB, args ...string) Reply {
	tb.Helper()
	return Parse(s.dig(tb, args...))
}

// TryDig is Dig for polls, which a failure does not end.
func (s *Server) TryDig(args ...string) (Reply, error) {
	out, err := s.tryDig(args...)
	return Parse(out), err
}

// Shows polls until a name is answered with these addresses, sorted, and no other.
func (s *Server) Shows(tb testing.TB, limit time.Duration, name string, addrs ...string) {
	tb.Helper()
	s.Poll(tb, limit, func() error {
		r, err := s.TryDig(name)
		if err == nil && !slices.Equal(r.Addresses(), addrs) {
			err = fmt.Errorf("%s: want %q\n%s", name, addrs, r.Text)
		}
		return err
	})
}

// DigTypes asks for several types of a name, by one dig, and returns the replies in order.
func (s *Server) DigTypes(tb testing.TB, name string, types ...string) []Reply {
	tb.Helper()
	var args []string
	for _, t := range types {
		args = append(args, name, t)
	}
	const head = ";; ->>HEADER<<-"
	texts := strings.Split(s.dig(tb, args...), head)[1:]
	if len(texts) != len(types) {
		tb.Fatalf("dig %v: %d replies", args, len(texts))
	}
	replies := make([]Reply, len(texts))
	for i, text := range texts {
		replies[i] = Parse(head + text)
	}
	return replies
}

func (s *Server) dig(tb testing.TB, args ...string) string {
	tb.Helper()
	out, err := s.tryDig(args...)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// tryDig has one try, so that a query without a reply shows, and more time than any machine takes for one.
func (s *Server) tryDig(args ...string) (string, error) {
	args = append([]string{"@127.0.0.1", "-p", s.Port, "+tries=1", "+time=30", "+nocookie"}, args...)
	out, err := exec.Command("dig", args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("dig %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

var (
	status = regexp.MustCompile(`status: (\w+)`)
	flags  = regexp.MustCompile(`(?m)^;; flags: ([a-z ]*);`)
	// serial is the third number of a SOA record's data; that of *kubernetes* is the time of its last change.
	serial = regexp.MustCompile(`( SOA \S+ \S+) \d+ `)
)

// Parse reads dig's output.
func Parse(text string) Reply {
	r := Reply{Text: text}
	if m := status.FindStringSubmatch(text); m != nil {
		r.Status = m[1]
	}
	if m := flags.FindStringSubmatch(text); m != nil {
		r.Flags = strings.Fields(m[1])
	}
	sections := map[string]*[]string{";; ANSWER SECTION:": &r.Answer, ";; AUTHORITY SECTION:": &r.Authority, ";; ADDITIONAL SECTION:": &r.Additional}
	var section *[]string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch s, ok := sections[line]; {
		case ok:
			section = s
		case line == "" || strings.HasPrefix(line, ";"):
			section = nil
		case section != nil:
			*section = append(*section, serial.ReplaceAllString(strings.Join(strings.Fields(line), " "), "$1 SERIAL "))
		}
	}
	for _, s := range sections {
		slices.Sort(*s)
	}
	return r
}

// Addresses are the data of the answer's A and AAAA records, sorted.
func (r Reply) Addresses() []string {
	var list []string
	for _, rr := range r.Answer {
		if f := strings.Fields(rr); len(f) == 5 && (f[3] == "A" || f[3] == "AAAA") {
			list = append(list, f[4])
		}
	}
	slices.Sort(list)
	return list
}
