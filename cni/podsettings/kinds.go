package podsettings

// Templates are the kinds that are pods or make them, each with the way of keys
// from the object to the pod.
func Templates() map[string][]string {
	inSpec := []string{"spec", "template"}
	return map[string][]string{
		"Pod":                   {},
		"PodTemplate":           {"template"},
		"Deployment":            inSpec,
		"StatefulSet":           inSpec,
		"DaemonSet":             inSpec,
		"ReplicaSet":            inSpec,
		"ReplicationController": inSpec,
		"Job":                   inSpec,
		"CronJob":               {"spec", "jobTemplate", "spec", "template"},
	}
}
