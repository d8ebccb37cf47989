// Package libcni runs the plugin as container runtimes do: by the CNI project's
// own libcni, and by its cnitool, chained after Debian's ptp and bridge, in
// namespaces that the tests make. It holds tests only, and they need root.
package libcni
