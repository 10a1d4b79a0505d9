// Package snapshot keeps what a source knows of an API server in a file, and serves it while the API server is gone.
package snapshot

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

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/source"
	"github.com/coredns-headless/headless/plugin/tree"
)

// A snapshot is lines of JSON: a head, one record for each object, and an end.
const (
	version  = "headless/v2" // counted up when an older reader would misunderstand
	headKind = "Snapshot"
	endKind  = "SnapshotEnd"
	begins   = `{"apiVersion":"headless/` // of every version
)

type head struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Server is the URL of the API server that the objects come from.
	Server string `json:"server"`
	// Namespaces are those that the snapshot has all objects of; "" stands for all namespaces.
	Namespaces []string `json:"namespaces"`
	// Serial is that of the tree, before it is taken modulo 2^32.
	Serial uint64    `json:"serial"`
	Time   time.Time `json:"time"`
}

// record is one object: a Service or an EndpointSlice.
type record struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Headless is that of the source.Part that the object belongs to.
	Headless      bool                  `json:"headless,omitempty"`
	Service       *object.Service       `json:"service,omitempty"`
	EndpointSlice *object.EndpointSlice `json:"endpointSlice,omitempty"`

	object object.Object // the one of them that parse has read
}

// end closes a snapshot.
type end struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Objects    int    `json:"objects"`
	// SHA256 is the checksum of all lines before this one.
	SHA256 string `json:"sha256"`
}

// errForeign says that a file is not a snapshot at all: it must not be overwritten.
var errForeign = errors.New("not a snapshot; give a file that this option wrote, or one that does not exist")

// temporary is the pattern of the names of files that are renamed to a snapshot when they are complete.
func temporary(path string) string { return "." + filepath.Base(path) + ".*.tmp" }

// write replaces the file by what the tree of s holds. A reader finds the old file or the new one, also after a crash.
func write(path string, s *source.Source, held tree.Held) (err error) {
	if path, err = follow(path); err == nil {
		err = replaceable(path)
	}
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), temporary(path)) // mode 0600
	if err != nil {
		return err
	}
	if err = errors.Join(encode(f, s, held), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func encode(f io.Writer, s *source.Source, held tree.Held) error {
	headless := make(map[*tree.Writer]bool)
	for _, p := range s.Parts {
		headless[p.Writer] = p.Headless
	}
	buf, checksum := bufio.NewWriterSize(f, 1<<16), sha256.New()
	lines := json.NewEncoder(io.MultiWriter(buf, checksum))
	lines.SetEscapeHTML(false)
	now := time.Now().UTC().Truncate(time.Second)
	err := lines.Encode(head{version, headKind, s.Server, held.Namespaces, held.Version, now})
	objects := 0
	for from, o := range held.Objects {
		if err != nil {
			return err
		}
		objects++
		r := record{Namespace: o.Key().Namespace, Name: o.Key().Name, Headless: headless[from]}
		switch o := o.(type) {
		case *object.Service:
			r.Service = o
		case *object.EndpointSlice:
			r.EndpointSlice = o
		}
		err = lines.Encode(r)
	}
	if err == nil {
		err = lines.Encode(end{version, endKind, objects, hex.EncodeToString(checksum.Sum(nil))})
	}
	return errors.Join(err, buf.Flush())
}

// replaceable returns an error unless path is a snapshot, of whatever version, an empty file, or nothing.
func replaceable(path string) error {
	f, _, err := source.OpenFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, source.ErrNotFile):
		return fmt.Errorf("%w: %w", err, errForeign)
	case err != nil:
		return err
	}
	first := make([]byte, len(begins))
	n, err := io.ReadFull(f, first)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // empty, or cut off
		err = nil
	}
	if err == nil && !strings.HasPrefix(begins, string(first[:n])) {
		err = fmt.Errorf("line 1: %w", errForeign)
	}
	return errors.Join(err, f.Close())
}

// contents is what a snapshot has.
type contents struct {
	head
	records []record
}

// read reads a snapshot of an API server.
func read(path, server string) (*contents, error) {
	path, err := follow(path)
	if err != nil {
		return nil, err
	}
	text, err := source.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return decode(text, server)
}

func decode(text []byte, server string) (*contents, error) {
	if len(text) == 0 {
		return nil, errors.New("empty")
	}
	c := new(contents)
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	switch err := json.Unmarshal(first, &c.head); {
	case err != nil || c.Kind != headKind:
		return nil, fmt.Errorf("line 1: %w", errForeign)
	case c.APIVersion != version:
		return nil, fmt.Errorf("line 1: its version is %s; want %s", c.APIVersion, version)
	case c.Server != server:
		return nil, fmt.Errorf("line 1: its API server is %q; want %q", c.Server, server)
	}
	objects, last, err := verify(text)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(rest[:len(rest)-last]) {
		r, err := parse(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", len(c.records)+2, err)
		}
		c.records = append(c.records, r)
	}
	if objects != len(c.records) {
		return nil, errors.New("the number of objects in its last line is wrong: the file was changed")
	}
	return c, nil
}

// verify checks the end of a snapshot, and returns how many objects it counts and how long it is.
func verify(text []byte) (objects, length int, err error) {
	at := bytes.LastIndexByte(bytes.TrimSuffix(text, []byte("\n")), '\n') + 1
	var e end
	if err := json.Unmarshal(text[at:], &e); err != nil || e.Kind != endKind {
		return 0, 0, errors.New("no last line: the file is truncated")
	}
	if digest := fmt.Sprintf("%x", sha256.Sum256(text[:at])); e.SHA256 != digest {
		return 0, 0, fmt.Errorf("its SHA-256 is %s, not %s: the file was changed", digest, e.SHA256)
	}
	return e.Objects, len(text) - at, nil
}

// parse reads a record. The checksum is no signature: somebody may have changed the file, and the checksum with it.
func parse(line []byte) (r record, err error) {
	if err = json.Unmarshal(line, &r); err != nil {
		return r, err
	}
	switch {
	case r.Service != nil && r.EndpointSlice == nil:
		r.object, err = r.Service, r.Service.Restore(r.Namespace, r.Name)
	case r.EndpointSlice != nil && r.Service == nil:
		r.object, err = r.EndpointSlice, r.EndpointSlice.Restore(r.Namespace, r.Name)
	default:
		err = errors.New("neither a Service nor an EndpointSlice")
	}
	return r, err
}

// covers reports whether the snapshot has all objects of a namespace, or of all of them for "".
func (c *contents) covers(namespace string) bool {
	return slices.Contains(c.Namespaces, "") || slices.Contains(c.Namespaces, namespace)
}

// of lists the objects that belong to a part.
func (c *contents) of(p source.Part) (list []object.Object) {
	for _, r := range c.records {
		k := r.object.Key()
		if k.Kind == p.Kind && r.Headless == p.Headless && (p.Namespace == "" || p.Namespace == k.Namespace) {
			list = append(list, r.object)
		}
	}
	return list
}
