package interception

import (
	"time"

	"github.com/sluicemesh/sluice/iptables"
)

// Report says what Apply or Clean did.
type Report struct {
	Backend  string
	Why      []string // the reasons for the backend
	Families []iptables.Family
	Changed  []string // what was written; nothing if all was as wanted
	Remarks  []Remark
	Took     time.Duration
}
