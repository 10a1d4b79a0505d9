// Command imageroot completes the folder that becomes the image's root, in the image's build: certificates for
// *forward* over TLS, and for CoreDNS the file capability cap_net_bind_service, as setcap gives it: then a user other
// than root binds port 53 where a container has this capability and no other.
package main

import (
	"encoding/binary"
	"log"
	"os"
	"syscall"
)

// root has CoreDNS in it already.
const root = "/image"

// certificates are those of the authorities, where Debian and so the image of Go has them, and where Go looks for
// them.
const certificates = "/etc/ssl/certs"

func main() {
	const file = certificates + "/ca-certificates.crt"
	pem, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.MkdirAll(root+certificates, 0o755); err != nil { // #nosec G301 -- user 65532 reads it
		log.Fatal(err)
	}
	if err := os.WriteFile(root+file, pem, 0o644); err != nil { // #nosec G306 G703 -- as above; a constant
		log.Fatal(err)
	}
	if err := syscall.Setxattr(root+"/coredns", "security.capability", netBindService(), 0); err != nil {
		log.Fatal("give CoreDNS its capability: ", err)
	}
}

// netBindService is struct vfs_cap_data of linux/capability.h, revision 2: magic and flags; then permitted and
// inheritable of the capabilities 0 to 31, and of 32 to 63.
func netBindService() []byte {
	const revision, effective, number = 0x02000000, 1, 10
	data := make([]byte, 20)
	binary.LittleEndian.PutUint32(data, revision|effective)
	binary.LittleEndian.PutUint32(data[4:], 1<<number)
	return data
}
