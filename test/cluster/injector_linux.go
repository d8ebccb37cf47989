package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistration "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluicemesh/sluice/test/containerd"
	"github.com/sluicemesh/sluice/test/program"
	"github.com/sluicemesh/sluice/test/rig"
)

const (
	injectorAddress = "127.0.0.1:9443"
	validationImage = "sluice.test/validation:1"
	// InjectLabel on a namespace has its pods injected.
	InjectLabel = "istio-injection"
)

// Inject registers a webhook that changes pods as a mesh's injector does in CNI
// mode: the status annotation, a validation init container without any
// privilege, and the sidecar.
func (c *Cluster) Inject() {
	c.t.Helper()
	c.Image(validationImage, containerd.Programs(program.Build(c.t, "cmd/sluice"))...)
	cert, ca := selfSigned(c)
	listener, err := c.Node.Listen(rig.Root, "tcp", injectorAddress)
	c.must(err)
	server := &http.Server{Handler: http.HandlerFunc(inject), ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{cert}}))
	c.t.Cleanup(func() { server.Close() })
	url, none := "https://"+injectorAddress, admissionregistration.SideEffectClassNone
	_, err = c.Client.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(context.Background(), &admissionregistration.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "injector"},
		Webhooks: []admissionregistration.MutatingWebhook{{
			Name: "injector.sluice.test", AdmissionReviewVersions: []string{"v1"}, SideEffects: &none,
			ClientConfig:      admissionregistration.WebhookClientConfig{URL: &url, CABundle: ca},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{InjectLabel: "enabled"}},
			Rules: []admissionregistration.RuleWithOperations{{
				Operations: []admissionregistration.OperationType{admissionregistration.Create},
				Rule:       admissionregistration.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}, metav1.CreateOptions{})
	c.must(err)
}

func selfSigned(c *Cluster) (cert tls.Certificate, ca []byte) {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	c.must(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// inject answers one admission review.
func inject(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	var pod corev1.Pod
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil || json.Unmarshal(review.Request.Object.Raw, &pod) != nil {
		http.Error(w, "not a review of a pod", http.StatusBadRequest)
		return
	}
	kind := admissionv1.PatchTypeJSONPatch
	patch, _ := json.Marshal(injection(&pod)) // plain values always encode
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true, Patch: patch, PatchType: &kind}
	review.Request = nil
	_ = json.NewEncoder(w).Encode(review) // the API server reports what it did not get
}

type op struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// NativeSidecar on a pod makes the proxy an init container that goes on running.
const NativeSidecar = "sidecar.istio.io/nativeSidecar"

// injection is the patch: validation first, the proxy beside the application or
// as a native sidecar.
func injection(p *corev1.Pod) []op {
	annotations := map[string]string{"sidecar.istio.io/status": `{"initContainers":["istio-validation"],"containers":["istio-proxy"]}`}
	for k, v := range p.Annotations {
		annotations[k] = v
	}
	validation, sidecar := validationContainer(), proxyContainer()
	if annotations[NativeSidecar] != "true" {
		return []op{
			{"add", "/metadata/annotations", annotations},
			{"add", "/spec/initContainers", append([]corev1.Container{validation}, p.Spec.InitContainers...)},
			{"add", "/spec/containers/0", sidecar},
		}
	}
	always := corev1.ContainerRestartPolicyAlways
	sidecar.RestartPolicy = &always
	annotations["sidecar.istio.io/status"] = `{"initContainers":["istio-validation","istio-proxy"],"containers":null}`
	return []op{
		{"add", "/metadata/annotations", annotations},
		{"add", "/spec/initContainers", append([]corev1.Container{validation, sidecar}, p.Spec.InitContainers...)},
	}
}

func validationContainer() corev1.Container {
	return corev1.Container{Name: "istio-validation", Image: validationImage, SecurityContext: unprivileged(), ImagePullPolicy: corev1.PullNever,
		Command: []string{"/sluice", "istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*",
			"-d", "15090,15021,15020", "--run-validation", "--skip-rule-apply"}}
}

func proxyContainer() corev1.Container {
	return corev1.Container{Name: "istio-proxy", Image: containerd.SidecarImage, SecurityContext: unprivileged(), ImagePullPolicy: corev1.PullNever,
		Command: []string{"/testsidecar", "sidecar", "-dns", "0"}}
}

// unprivileged is the proxy's user without any capability.
func unprivileged() *corev1.SecurityContext {
	proxy, no, yes := int64(1337), false, true
	return &corev1.SecurityContext{RunAsUser: &proxy, RunAsGroup: &proxy, AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
}
