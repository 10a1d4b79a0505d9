package watch

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/tree"
)

// A snapshot is a stream of YAML documents, each one line of JSON, so that manifests reads it too: a head, the objects, and an end that
// has their number and the checksum of all before it.
const (
	snapshotVersion = "headless/v1" // counted up when an older reader would misunderstand
	snapshotHead    = "Snapshot"
	snapshotEnd     = "SnapshotEnd"
	documentMarker  = "---\n"
	headBegins      = `{"apiVersion":"headless/` // of every version
)

type head struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Server is the API server that the objects are of.
	Server string `json:"server"`
	// Namespaces are those that all is known of, "" is all there are.
	Namespaces []string `json:"namespaces"`
	// Serial is that of the tree, before it is taken modulo 2^32.
	Serial uint64    `json:"serial"`
	Time   time.Time `json:"time"`
}

type end struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Objects    int    `json:"objects"`
	SHA256     string `json:"sha256"`
}

// errNoSnapshot says that a file is something else altogether: it is not for us to overwrite.
var errNoSnapshot = errors.New("no snapshot: allowed is a file that this option wrote, or none")

// temporary is the pattern of the names of files that become a snapshot when they are whole.
func temporary(path string) string { return "." + filepath.Base(path) + ".*.tmp" }

// followed is where a link leads, there or not yet, so that what is put there does not take the link's place.
func followed(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	target, err := os.Readlink(path)
	switch {
	case err != nil:
		return path
	case !filepath.IsAbs(target):
		target = filepath.Join(filepath.Dir(path), target)
	}
	return target
}

// writeSnapshot puts what w's tree holds in the file's place: whoever reads it finds the old one or the new one, and so does who comes
// after a crash.
func writeSnapshot(path string, w *Watch, held tree.Held) (err error) {
	path = followed(path)
	if err := replaceable(path); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), temporary(path)) // mode 0600
	if err != nil {
		return err
	}
	if err = errors.Join(encodeSnapshot(f, w, held), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func encodeSnapshot(f io.Writer, w *Watch, held tree.Held) error {
	sum := sha256.New()
	buf := bufio.NewWriterSize(f, 1<<16)
	line := func(text []byte, err error) error {
		if err == nil {
			text = append(append(text, '\n'), documentMarker...)
			_, _ = sum.Write(text) // a hash takes everything
			_, err = buf.Write(text)
		}
		return err
	}
	err := line(json.Marshal(head{snapshotVersion, snapshotHead, w.server, held.Namespaces, held.Version, time.Now().UTC().Truncate(time.Second)}))
	objects := 0
	for from, o := range held.Objects {
		if err != nil {
			return err
		}
		objects++
		err = line(object.Manifest(o, w.labels(from)))
	}
	if err != nil {
		return err
	}
	text, err := json.Marshal(end{snapshotVersion, snapshotEnd, objects, hex.EncodeToString(sum.Sum(nil))})
	if err != nil {
		return err
	}
	_, err = buf.Write(append(text, '\n'))
	return errors.Join(err, buf.Flush())
}

// labels are what tells the slices of one source from those of another.
func (w *Watch) labels(of *tree.Writer) map[string]string {
	for _, s := range w.sources {
		if s.source == of && s.headless {
			return map[string]string{corev1.IsHeadlessService: ""}
		}
	}
	return nil
}

// replaceable says why nothing may take a file's place: it is no file, or does not begin as ours do, or nobody can see whether it does.
func replaceable(path string) error {
	f, _, err := open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, errNoFile):
		return fmt.Errorf("%w: %w", err, errNoSnapshot)
	case err != nil:
		return err
	}
	begins := make([]byte, len(headBegins))
	n, err := io.ReadFull(f, begins)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // empty, or cut off
		err = nil
	}
	if err == nil && !strings.HasPrefix(headBegins, string(begins[:n])) {
		err = fmt.Errorf("line 1: %w", errNoSnapshot)
	}
	return errors.Join(err, f.Close())
}

func (h *head) parse(text []byte) error {
	switch err := json.Unmarshal(text, h); {
	case err != nil || h.Kind != snapshotHead:
		return fmt.Errorf("line 1: %w", errNoSnapshot)
	case h.APIVersion != snapshotVersion:
		return fmt.Errorf("line 1: apiVersion %q: allowed is %s", h.APIVersion, snapshotVersion)
	}
	return nil
}

// recalled is what a snapshot says.
type recalled struct {
	head
	objects map[place][]object.Object
}

// place is where objects come from, and where they go when they are recalled.
type place struct {
	kind      object.Kind
	headless  bool   // of slices: they bear the label
	namespace string // of a source, "" is all
}

// source is a source of a watch's tree.
type source struct {
	place
	source *tree.Writer
}

func newRecalled() *recalled { return &recalled{objects: make(map[place][]object.Object)} }

// readSnapshot reads a file that is whole, of this format, and of that API server.
func readSnapshot(path, server string) (*recalled, error) {
	text, err := text(path)
	if err != nil {
		return nil, err
	}
	return decodeSnapshot(text, server)
}

func decodeSnapshot(text []byte, server string) (*recalled, error) {
	if len(text) == 0 {
		return nil, errors.New("empty")
	}
	r := newRecalled()
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	if err := r.parse(first); err != nil {
		return nil, err
	}
	if r.Server != server {
		return nil, fmt.Errorf("line 1: it is of the API server %q: allowed is %q", r.Server, server)
	}
	objects, last, err := verify(text)
	if err != nil {
		return nil, err
	}
	number := 1
	for line := range bytes.Lines(rest[:len(rest)-last]) {
		number++
		if string(line) == documentMarker {
			continue
		}
		objects--
		if err := r.add(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if objects != 0 {
		return nil, errors.New("its end tells another number of objects: the file was changed")
	}
	return r, nil
}

// verify checks the end of a snapshot, and returns how many objects it tells of and how long it is.
func verify(text []byte) (objects, length int, err error) {
	at := bytes.LastIndexByte(bytes.TrimSuffix(text, []byte("\n")), '\n') + 1
	var e end
	if err := json.Unmarshal(text[at:], &e); err != nil || e.Kind != snapshotEnd {
		return 0, 0, errors.New("no end: the file is truncated")
	}
	if sum := sha256.Sum256(text[:at]); e.SHA256 != hex.EncodeToString(sum[:]) {
		return 0, 0, fmt.Errorf("its SHA-256 is %x and should be %s: the file was changed", sum, e.SHA256)
	}
	return e.Objects, len(text) - at, nil
}

func (r *recalled) add(line []byte) error {
	var t metav1.TypeMeta
	if err := json.Unmarshal(line, &t); err != nil {
		return err
	}
	var o metav1.Object = new(corev1.Service)
	if t.Kind == object.KindEndpointSlice.String() {
		o = new(discoveryv1.EndpointSlice)
	}
	if err := json.Unmarshal(line, o); err != nil {
		return err
	}
	slim, err := object.From(o)
	if slim == nil {
		return err
	}
	at := place{kind: slim.Key().Kind, namespace: slim.Key().Namespace}
	_, at.headless = o.GetLabels()[corev1.IsHeadlessService]
	r.objects[at] = append(r.objects[at], slim)
	return nil
}

// covers reports whether all of a namespace, or of all for "", is known.
func (r *recalled) covers(namespace string) bool {
	return slices.Contains(r.Namespaces, "") || slices.Contains(r.Namespaces, namespace)
}

// of lists what a source had.
func (r *recalled) of(s source) []object.Object {
	var list []object.Object
	for at, objects := range r.objects {
		if at.kind == s.kind && at.headless == s.headless && (s.namespace == metav1.NamespaceAll || s.namespace == at.namespace) {
			list = append(list, objects...)
		}
	}
	return list
}
