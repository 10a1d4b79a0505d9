package source

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/coredns-headless/headless/plugin/source/sourcetest"
)

func TestSourcesAreSharedUntilNobodyUsesThem(t *testing.T) { synctest.Test(t, sourcesAreShared) }

func sourcesAreShared(t *testing.T) {
	sourcetest.CaptureLog(t)
	var l Shared
	var opened, stopped []string
	acquire := func(key, name string) (*Source, func()) {
		t.Helper()
		s, release, err := l.Acquire(key, func() (*Source, error) {
			opened = append(opened, name)
			s := New(name, nil)
			s.Tree().Writer("")
			s.Run(func(ctx context.Context) {
				<-ctx.Done()
				stopped = append(stopped, name) // Stop waits for it
			})
			return s, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return s, release
	}
	ended := func(when string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, stopped); diff != "" {
			t.Errorf("%s: stopped (-want +got):\n%s", when, diff)
		}
	}
	a, releaseA := acquire("a", "a")
	if a.Running() || len(l.Running()) != 0 {
		t.Error("it runs before it is started")
	}
	a.Start()
	a.Start()
	again, releaseAgain := acquire("a", "a again")
	if again != a || !again.Running() {
		t.Error("a second user got another source of that key")
	}
	b, releaseB := acquire("b", "b")
	b.Start()
	if b == a || len(l.Running()) != 2 {
		t.Errorf("%d sources, want 2", len(l.Running()))
	}
	if diff := cmp.Diff([]string{"a", "b"}, opened); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}

	releaseA()
	releaseA()
	ended("released twice by one of two users")
	releaseAgain()
	ended("released by both", "a")
	releaseB()
	ended("released by all", "a", "b")
	if n := len(l.Running()); n != 0 {
		t.Errorf("%d sources are left", n)
	}

	stopped = nil
	anew, release := acquire("a", "a anew")
	if anew == a {
		t.Error("a source that was stopped came back")
	}
	release() // it was never started
	ended("released before it was started")
}

func TestSourceThatCannotBeOpenedIsNotShared(t *testing.T) {
	var l Shared
	failure := errors.New("no good")
	if _, _, err := l.Acquire("a", func() (*Source, error) { return nil, failure }); !errors.Is(err, failure) {
		t.Error(err)
	}
	s, release, err := l.Acquire("a", func() (*Source, error) { return New("a", nil), nil })
	if err != nil || s == nil {
		t.Fatalf("got %v, %v", s, err)
	}
	release()
}
