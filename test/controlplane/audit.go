package controlplane

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// auditPolicy logs the requests that a watch is made of, as they arrive and as they end.
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [ResponseStarted, Panic]
rules:
- level: Metadata
  verbs: [list, watch]
  resources:
  - {group: "", resources: [services]}
  - {group: discovery.k8s.io, resources: [endpointslices]}
- level: None
`

func (c *ControlPlane) auditLog() string { return filepath.Join(c.dir, "audit.log") }

// Request is a list or watch request that the API server received.
type Request struct {
	Verb       string `json:"verb"`
	RequestURI string `json:"requestURI"`
	UserAgent  string `json:"userAgent"`
	User       struct {
		Username string `json:"username"`
	} `json:"user"`
	// ResponseStatus has the HTTP status code when the request has ended.
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`

	ID string `json:"auditID"`
}

// Lists reports whether the request asks for all there is, be it by a watch that begins with a list.
func (r Request) Lists() bool {
	return r.Verb == "list" || strings.Contains(r.RequestURI, "sendInitialEvents=true")
}

// Requests are the list and watch requests for Services and EndpointSlices so far, of clients whose user agent
// contains agent.
func (c *ControlPlane) Requests(agent string) ([]Request, error) {
	f, err := os.Open(c.auditLog())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []Request
	at := make(map[string]int) // by ID
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var r Request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, err
		}
		if i, ok := at[r.ID]; ok {
			list[i] = r
		} else if strings.Contains(r.UserAgent, agent) {
			at[r.ID] = len(list)
			list = append(list, r)
		}
	}
	return list, lines.Err()
}
