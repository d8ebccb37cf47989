package repair

import (
	corev1 "k8s.io/api/core/v1"
)

// Verdict is by what a broken pod is known.
type Verdict struct {
	Container string // name of the validation init container
	ExitCode  int32
}

// DefaultVerdict is the mesh's.
func DefaultVerdict() Verdict { return Verdict{Container: "istio-validation", ExitCode: 126} }

// Failure is one failed validation.
type Failure struct {
	// ContainerID is that of the container that failed: each run has another.
	ContainerID string
	// Final means that the container will not be run again.
	Final bool
}

// Failed says whether the pod's validation has failed in its current state or,
// while it is waiting or running again, in its last one. A pod in the host's
// network is never broken: nothing of ours belongs there.
func (v Verdict) Failed(p *corev1.Pod) (Failure, bool) {
	if p.Spec.HostNetwork || p.DeletionTimestamp != nil {
		return Failure{}, false
	}
	for _, s := range p.Status.InitContainerStatuses {
		if s.Name != v.Container {
			continue
		}
		t := s.State.Terminated
		if t == nil {
			t = s.LastTerminationState.Terminated
		}
		if t == nil || t.ExitCode != v.ExitCode {
			return Failure{}, false
		}
		return Failure{ContainerID: t.ContainerID, Final: final(p)}, true
	}
	return Failure{}, false
}

// final: a failed init container is run again unless the pod says never.
func final(p *corev1.Pod) bool {
	return p.Spec.RestartPolicy == corev1.RestartPolicyNever || p.Status.Phase == corev1.PodFailed
}
