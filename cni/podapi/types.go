package podapi

// Version is the protocol that this package speaks. An agent answers every
// version from 1 up to its own; a plugin accepts answers likewise.
const Version = 1

// Bounds of one line in bytes, the newline included. Every pod that Kubernetes
// accepts fits an answer: etcd takes no object over 1.5 MiB (--max-request-bytes;
// the annotations are at most 256 KiB of it), JSON writes a byte as six at
// worst, and the rest is room for the names of the fields. Only root speaks
// here, and neither side holds more than has come.
const (
	MaxRequest  = 4 << 10
	MaxResponse = 10 << 20
)

// largeAnswer is the least size of an answer, in bytes of its texts, that waits
// for the others of its size; nearly every pod has less.
const largeAnswer = 16 << 10

// Request asks for one pod of this node.
type Request struct {
	Version   int    `json:"version"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// UID is CNI_ARGS' K8S_POD_UID: the pod's uid or, for a static pod, its
	// config hash. Empty when the runtime does not hand it over; then the
	// name alone decides.
	UID string `json:"uid,omitempty"`
	// ContainerID is the sandbox's id, for the agent's log lines only.
	ContainerID string `json:"containerID,omitempty"`
	// NoAnnotations means that the runtime handed over no pod annotations, so
	// that every pod has to be asked for.
	NoAnnotations bool `json:"noAnnotations,omitempty"`
}

// Response answers a Request. Exactly one of these holds: Error is set; Found
// is false; Found is true and Pod is set.
type Response struct {
	Version int `json:"version"`
	// UID repeats the request's, so that an answer can't be taken for another's.
	UID   string `json:"uid,omitempty"`
	Found bool   `json:"found"`
	Pod   *Pod   `json:"pod,omitempty"`
	// Error says why the agent can't tell, for a person: caches not synced and
	// the API server away, a pod too large for the answer, an unknown version.
	Error string `json:"error,omitempty"`
	// Kind says more about Error where the next step is another than to ask
	// again; see [TooLong].
	Kind Kind `json:"kind,omitempty"`
}

// Pod is what a decision needs of a pod and nothing else.
type Pod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
	// ConfigHash is the annotation kubernetes.io/config.hash: the uid by which
	// the runtime knows a static pod.
	ConfigHash string `json:"configHash,omitempty"`
	// Annotations and Labels hold only the keys that KeepAnnotation and
	// KeepLabel admit.
	Annotations map[string]string `json:"annotations,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	HostNetwork bool              `json:"hostNetwork,omitempty"`
	// HostUsers is nil where the pod does not say; false asks for a user
	// namespace of the pod's own.
	HostUsers *bool `json:"hostUsers,omitempty"`
	// PodIPs are the addresses of the pod's status, in its order; none yet
	// while the sandbox is being made.
	PodIPs []string `json:"podIPs,omitempty"`
	// RunAsUser and RunAsGroup are the pod's securityContext, nil if unset.
	RunAsUser      *int64      `json:"runAsUser,omitempty"`
	RunAsGroup     *int64      `json:"runAsGroup,omitempty"`
	InitContainers []Container `json:"initContainers,omitempty"`
	Containers     []Container `json:"containers,omitempty"`
}

// Container is one container of a pod, in the pod's order.
type Container struct {
	Name string `json:"name"`
	// Sidecar is an init container with restartPolicy Always.
	Sidecar bool `json:"sidecar,omitempty"`
	// ProxyType is the second word of the proxy's arguments when the first is
	// "proxy": sidecar, router, waypoint. Empty means not known.
	ProxyType string `json:"proxyType,omitempty"`
	// Env holds only the variables that KeepEnv admits, of the proxy only.
	Env []Env `json:"env,omitempty"`
	// RunAsUser and RunAsGroup are the container's securityContext, nil if unset.
	RunAsUser  *int64 `json:"runAsUser,omitempty"`
	RunAsGroup *int64 `json:"runAsGroup,omitempty"`
}

// Env is one environment variable. ValueFrom means that the value is taken
// from elsewhere and not known here; Value is empty then.
type Env struct {
	Name      string `json:"name"`
	Value     string `json:"value,omitempty"`
	ValueFrom bool   `json:"valueFrom,omitempty"`
}

// Report tells the agent what one plugin call did, for metrics, log and Events.
type Report struct {
	Version     int    `json:"version"`
	Verb        string `json:"verb"` // ADD, CHECK, DEL
	Namespace   string `json:"namespace,omitempty"`
	Name        string `json:"name,omitempty"`
	UID         string `json:"uid,omitempty"`
	ContainerID string `json:"containerID,omitempty"`
	// Outcome is program, pass or error; Reason the decision's stable name.
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Backend string `json:"backend,omitempty"`
	// Code is the CNI error code when Outcome is error.
	Code int `json:"code,omitempty"`
	// Micros is the time the call took, in microseconds.
	Micros int64 `json:"micros"`
	// Warnings become Events on the pod.
	Warnings []string `json:"warnings,omitempty"`
	// Message is the error's text when Outcome is error.
	Message string `json:"message,omitempty"`
}
