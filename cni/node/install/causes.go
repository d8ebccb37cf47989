package install

// causes are reasons, known by the plugin's type, why a primary network plugin
// writes its configuration anew, and what a person can do about it.
var causes = map[string]string{
	"cilium-cni": "Cilium's exclusive mode takes foreign entries out; set cni.exclusive=false in its chart",
	"multus":     "Multus with --multus-conf-file=auto generates its file from the primary's; name the primary's file with --conf-file, or give Multus a fixed configuration",
	"multus-shim": "Multus with multusConfigFile: auto generates its file from the primary's; name the primary's file with --conf-file," +
		" or give Multus a fixed configuration",
	"calico":  "Calico's install-cni writes its file whenever its node pod starts; once per start is expected",
	"aws-cni": "the aws-node pod writes its file whenever it starts; once per start is expected",
	"flannel": "Flannel's install-cni container writes its file whenever its pod starts; once per start is expected",
}

// Cause gives the known reason why the owner of a chain of plugins of these
// types writes its file anew, or says that none is known.
func Cause(types []string) string {
	for _, t := range types {
		if c, ok := causes[t]; ok {
			return c
		}
	}
	return "no known cause; look for the program that writes this file"
}
