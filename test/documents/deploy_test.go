package documents

import "testing"

// The README deploys by the commands of docs/deploy.md, which run on a node.
//
//doc:runs README.md#Deploying 2
func TestReadmeDeploysAsTheDocumentDoes(t *testing.T) {
	document, err := Blocks("docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := Blocks("README.md")
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, b := range document {
		known[b.Text] = true
	}
	for _, b := range readme {
		if b.Heading == "Deploying" && !known[b.Text] {
			t.Errorf("README.md:%d: docs/deploy.md has no such commands:\n%s", b.Line, b.Text)
		}
	}
}
