package pods

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluicemesh/sluice/cni/podapi"
)

// statusLimit is how much of the injector's status annotation is kept, in
// bytes. Decisions ask only whether it is there.
const statusLimit = 256

// Slim gives the part of a pod that decisions and repairs read. It is the
// informer's transform: idempotent, and passing on what is no pod.
func Slim(obj any) (any, error) {
	p, ok := obj.(*corev1.Pod)
	if !ok {
		return obj, nil
	}
	return slimPod(p), nil
}

func slimPod(p *corev1.Pod) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: slimMeta(p.ObjectMeta),
		Spec: corev1.PodSpec{
			NodeName: p.Spec.NodeName, HostNetwork: p.Spec.HostNetwork, HostUsers: p.Spec.HostUsers,
			RestartPolicy: p.Spec.RestartPolicy, SecurityContext: slimSecurity(p.Spec.SecurityContext),
			InitContainers: slimContainers(p.Spec.InitContainers), Containers: slimContainers(p.Spec.Containers),
		},
		Status: corev1.PodStatus{
			Phase: p.Status.Phase, PodIP: p.Status.PodIP, PodIPs: p.Status.PodIPs,
			InitContainerStatuses: slimStatuses(p.Status.InitContainerStatuses),
		},
	}
}

func slimMeta(m metav1.ObjectMeta) metav1.ObjectMeta {
	slim := metav1.ObjectMeta{
		Namespace: m.Namespace, Name: m.Name, UID: m.UID, ResourceVersion: m.ResourceVersion,
		DeletionTimestamp: m.DeletionTimestamp,
		Labels:            kept(m.Labels, podapi.KeepLabel),
		Annotations:       kept(m.Annotations, keepAnnotation),
	}
	if s := slim.Annotations[podapi.StatusAnnotation]; len(s) > statusLimit {
		slim.Annotations[podapi.StatusAnnotation] = s[:statusLimit]
	}
	for _, o := range m.OwnerReferences {
		slim.OwnerReferences = append(slim.OwnerReferences, metav1.OwnerReference{Kind: o.Kind, Name: o.Name, Controller: o.Controller})
	}
	return slim
}

func keepAnnotation(key string) bool {
	return podapi.KeepAnnotation(key) || key == podapi.ConfigHashAnnotation
}

func kept(in map[string]string, keep func(string) bool) map[string]string {
	var out map[string]string
	for k, v := range in {
		if !keep(k) {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[k] = v
	}
	return out
}

func slimSecurity(s *corev1.PodSecurityContext) *corev1.PodSecurityContext {
	if s == nil {
		return nil
	}
	return &corev1.PodSecurityContext{RunAsUser: s.RunAsUser, RunAsGroup: s.RunAsGroup}
}

func slimContainers(in []corev1.Container) []corev1.Container {
	out := make([]corev1.Container, 0, len(in))
	for _, c := range in {
		slim := corev1.Container{Name: c.Name, RestartPolicy: c.RestartPolicy}
		if s := c.SecurityContext; s != nil {
			slim.SecurityContext = &corev1.SecurityContext{RunAsUser: s.RunAsUser, RunAsGroup: s.RunAsGroup}
		}
		if c.Name == podapi.ProxyName {
			slim.Args = c.Args[:min(2, len(c.Args))]
			slim.Env = slimEnv(c.Env)
		}
		out = append(out, slim)
	}
	return out
}

func slimEnv(in []corev1.EnvVar) []corev1.EnvVar {
	var out []corev1.EnvVar
	for _, e := range in {
		if !podapi.KeepEnv(e.Name) {
			continue
		}
		slim := corev1.EnvVar{Name: e.Name, Value: e.Value}
		if e.ValueFrom != nil {
			slim.ValueFrom = &corev1.EnvVarSource{} // that it comes from elsewhere is what counts
		}
		out = append(out, slim)
	}
	return out
}

func slimStatuses(in []corev1.ContainerStatus) []corev1.ContainerStatus {
	var out []corev1.ContainerStatus
	for _, s := range in {
		out = append(out, corev1.ContainerStatus{
			Name: s.Name, RestartCount: s.RestartCount, ContainerID: s.ContainerID,
			State: slimState(s.State), LastTerminationState: slimState(s.LastTerminationState),
		})
	}
	return out
}

// slimState drops the messages, which a container may write itself.
func slimState(s corev1.ContainerState) corev1.ContainerState {
	if t := s.Terminated; t != nil {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: t.ExitCode, ContainerID: t.ContainerID, FinishedAt: t.FinishedAt,
		}}
	}
	return corev1.ContainerState{Running: s.Running}
}

// Key names a pod for people and as the store's key.
func Key(p *corev1.Pod) string { return fmt.Sprintf("%s/%s", p.Namespace, p.Name) }
