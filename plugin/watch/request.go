package watch

import (
	"context"
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/coredns-headless/headless/plugin/object"
)

// request is what one reflector asks of the API server, again and again.
type request struct {
	w                             *Watch
	resource, namespace, selector string
	kind                          object.Kind

	list  func(context.Context, metav1.ListOptions) (runtime.Object, error)
	watch func(context.Context, metav1.ListOptions) (apiwatch.Interface, error)

	limit   flowcontrol.RateLimiter
	failing map[string]*failure // by verb
	stale   atomic.Bool         // what came so far may be out of date
	streams bool                // a streamed list has begun, and not brought all of it
}

// failure is why requests fail.
type failure struct {
	reasons []string // that were said, without digits
	since   time.Time
}

// A failure that lasts is said again after repeatAfter, and with reasonsMax reasons at most in that time: some take turns, such as a
// handshake that is refused and a write to the connection that this has closed.
const (
	repeatAfter = time.Minute
	reasonsMax  = 3
)

// say reports whether a reason is to be said now, and remembers it. Ports and times differ from try to try, and say no more.
func (f *failure) say(reason string) bool {
	if time.Since(f.since) >= repeatAfter {
		*f = failure{since: time.Now()}
	}
	reason = strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, reason)
	if slices.Contains(f.reasons, reason) || len(f.reasons) == reasonsMax {
		return false
	}
	f.reasons = append(f.reasons, reason)
	return true
}

// errNoList says that an answer was something else than was asked for. client-go takes it for a list of nothing, which would empty the tree.
var errNoList = errors.New("the answer is no list of them: it has no resourceVersion")

// isList checks that a list came from an API server: those always have a resourceVersion (ListMeta), and what was decoded from another
// kind of object, or from none, has not.
func isList(list runtime.Object) error {
	if m, err := meta.ListAccessor(list); err != nil || m.GetResourceVersion() == "" {
		return errNoList
	}
	return nil
}

// continues reports whether a list is a page that others follow (ListMeta.continue).
func continues(list runtime.Object) bool {
	m, err := meta.ListAccessor(list)
	return err == nil && m.GetContinue() != ""
}

// outdated notes whether what came so far may be out of date.
func (r *request) outdated(is bool) {
	switch was := r.stale.Swap(is); {
	case is && !was:
		r.w.outdated.Add(1)
	case was && !is:
		r.w.outdated.Add(-1)
	}
}

// errNoAnswer says that a connection broke or a time was up before there was an answer. client-go makes an empty watch
// of that (rest.Request.Watch), which a reflector takes for one that ended at once, a reason to list everything again.
var errNoAnswer = errors.New("no answer")

var empty = reflect.TypeOf(apiwatch.NewEmptyWatch())

// errCutOff says that a streamed list ended before all of it had come. client-go asks again and says nothing
// (kubernetes/kubernetes#140902).
var errCutOff = errors.New("the streamed list ended before its end")

// listed notes that a list is complete.
func (r *request) listed() {
	r.outdated(false)
	if r.streams {
		r.streams = false
		r.report(context.Background(), "watch", nil)
	}
}

// wait waits until the next request may be made. What is known counts as out of date until that has brought more.
func (r *request) wait(ctx context.Context) error {
	r.outdated(true)
	if r.streams {
		r.streams = false
		r.report(ctx, "watch", errCutOff)
	}
	return r.limit.Wait(ctx)
}

// begin begins a watch, maybe with a list.
func (r *request) begin(ctx context.Context, o metav1.ListOptions) (apiwatch.Interface, error) {
	streams := o.SendInitialEvents != nil
	events, err := r.watch(ctx, o)
	if err == nil && reflect.TypeOf(events) == empty {
		err = errNoAnswer
	}
	r.outdated(err != nil || streams) // without a list a watch goes on where the last one ended, so nothing is missed
	switch {
	case streams && err == nil:
		r.streams = true // whether it works remains to be seen
	case streams && apierrors.IsInvalid(err): // a server that streams no lists is asked for a list next
	default:
		r.report(ctx, "watch", err)
	}
	switch {
	case err == nil:
		return &watching{events, r}, nil
	case !errors.As(err, new(apierrors.APIStatus)):
		// The API server has said nothing, so there is no reason for a list. A reflector goes on with its watch after
		// a refused connection, but lists everything again after one that was reset or timed out
		// (kubernetes/kubernetes#119646).
		return nil, errors.Join(syscall.ECONNREFUSED, err)
	}
	return nil, err
}

// watching is a watch that was answered. From its end on, what it brought may be out of date: the next request may
// have to wait.
type watching struct {
	apiwatch.Interface
	of *request
}

// Stop implements apiwatch.Interface. A reflector calls it at the end of each watch, before it begins another one.
func (w *watching) Stop() {
	w.of.outdated(true)
	w.Interface.Stop()
}

// report logs why a request failed, again when it lasts, and when it is over.
func (r *request) report(ctx context.Context, verb string, err error) {
	if ctx.Err() != nil {
		return // stopped: whatever failed, failed for that
	}
	where := ""
	if r.selector != "" {
		where = " labelled " + r.selector
	}
	if r.namespace != "" {
		where += " in namespace " + r.namespace
	}
	f := r.failing[verb]
	switch {
	case err == nil && f != nil:
		delete(r.failing, verb)
		log.Infof("%s: %s %s%s: works again", r.w.name, verb, r.resource, where)
	case err != nil:
		r.w.count[r.kind].failed.Add(1)
		r.w.fail()
		if u := new(url.Error); errors.As(err, &u) {
			err = u.Err // the URL differs from try to try, and says no more
		}
		if f == nil {
			f = new(failure)
			if r.failing == nil {
				r.failing = make(map[string]*failure)
			}
			r.failing[verb] = f
		}
		if f.say(err.Error()) {
			log.Warningf("%s: %s %s%s: %v", r.w.name, verb, r.resource, where, err)
		}
	}
}
